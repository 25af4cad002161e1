// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "runtime/network/ops/op_problem.h"

namespace halftone::network {
namespace {

using Floats = std::vector<float>;
using Longs = std::vector<int64_t>;

TEST(Elementwise, BroadcastsBothWays) {
  const Ran ran = compute(Binary{BinaryKind::subtract}, {floats({2, 1}, {10, 20}), floats({3}, {1, 2, 3})});
  ASSERT_TRUE(ran.status.ok()) << ran.error();
  EXPECT_EQ(ran.shape(), (Shape{2, 3}));
  EXPECT_EQ(ran.numbers(), (Floats{9, 8, 7, 19, 18, 17}));
}

TEST(Elementwise, RefusesShapesThatDoNotBroadcast) {
  const Ran ran = compute(Binary{BinaryKind::add}, {floats({2}, {1, 2}), floats({3}, {1, 2, 3})});
  EXPECT_NE(ran.error().find("[2] and [3]"), std::string::npos) << ran.error();
}

TEST(Elementwise, IntegersAreExactAndWrap) {
  const int64_t large = (int64_t{1} << 53) + 1;
  EXPECT_EQ(compute(Binary{BinaryKind::add}, {longs({large}), longs({1})}).values<int64_t>(), (Longs{large + 1}));
  EXPECT_EQ(compute(Binary{BinaryKind::add}, {longs({INT64_MAX}), longs({1})}).values<int64_t>(), (Longs{INT64_MIN}));
  const Tensor bytes = Tensor::of<int8_t>(DType::i8, {2}, std::array<int8_t, 2>{-128, 100});
  EXPECT_EQ(compute(Binary{BinaryKind::add}, {bytes, bytes}).values<int8_t>(), (std::vector<int8_t>{0, -56}));
  EXPECT_EQ(compute(Unary{UnaryKind::abs}, {bytes}).values<int8_t>(), (std::vector<int8_t>{-128, 100}));
}

TEST(Elementwise, DivisionOfIntegers) {
  const Tensor a = longs({7, -7, 7, -7, INT64_MIN}), b = longs({2, 2, -2, -2, -1});
  EXPECT_EQ(compute(Binary{BinaryKind::divide}, {a, b}).values<int64_t>(), (Longs{3, -3, -3, 3, INT64_MIN}));
  EXPECT_EQ(compute(Binary{BinaryKind::floor_divide}, {a, b}).values<int64_t>(), (Longs{3, -4, -4, 3, INT64_MIN}));
  EXPECT_EQ(compute(Binary{BinaryKind::modulo}, {a, b}).values<int64_t>(), (Longs{1, 1, -1, -1, 0}));
  EXPECT_EQ(compute(Binary{BinaryKind::remainder}, {a, b}).values<int64_t>(), (Longs{1, -1, 1, -1, 0}));
  const Ran zero = compute(Binary{BinaryKind::modulo}, {longs({1}), longs({0})});
  EXPECT_NE(zero.error().find("got 0 at element 0"), std::string::npos) << zero.error();
}

TEST(Elementwise, HalvesAreComputedAsFloats) {
  const uint16_t one = f32_to_f16(1.0F), third = f32_to_f16(1.0F / 3);
  const Tensor a = Tensor::of<uint16_t>(DType::f16, {2}, std::array{one, third});
  const Ran ran = compute(Binary{BinaryKind::add}, {a, a});
  ASSERT_TRUE(ran.status.ok()) << ran.error();
  EXPECT_EQ(ran.outputs[0].type(), DType::f16);
  EXPECT_EQ(ran.values<uint16_t>(), (std::vector<uint16_t>{f32_to_f16(2.0F), f32_to_f16(2 * f16_to_f32(third))}));
}

TEST(Elementwise, ComparisonsGiveBooleans) {
  const Ran ran = compute(Binary{BinaryKind::less}, {floats({3}, {1, 2, NAN}), floats({1}, {2})});
  EXPECT_EQ(ran.values<bool>(), (std::vector<bool>{true, false, false}));
}

TEST(Elementwise, EveryUnaryKindOfFloats) {
  const Floats x = {-2.5F, -0.5F, 0, 0.5F, 1.5F, 2.5F};
  const auto close = [&](UnaryKind kind, double (*want)(double), Unary op = {}) {
    op.kind = kind;
    const Floats y = compute(op, {floats({6}, x)}).numbers();
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = want(static_cast<double>(x[i]));
      if (std::isnan(expected))
        EXPECT_TRUE(std::isnan(y[i])) << name_of(kind) << " of " << x[i];
      else if (std::isinf(expected))
        EXPECT_EQ(static_cast<double>(y[i]), expected) << name_of(kind) << " of " << x[i];
      else
        EXPECT_NEAR(static_cast<double>(y[i]), expected, 2e-6 * std::max(1.0, std::abs(expected)))
            << name_of(kind) << " of " << x[i];
    }
  };
  close(UnaryKind::round_even, [](double v) { return std::rint(v); });
  close(UnaryKind::sigmoid, [](double v) { return 1 / (1 + std::exp(-v)); });
  close(UnaryKind::softplus, [](double v) { return std::log(1 + std::exp(v)); });
  close(UnaryKind::gelu, [](double v) { return v * 0.5 * std::erfc(-v / std::sqrt(2.0)); });
  close(UnaryKind::mish, [](double v) { return v * std::tanh(std::log(1 + std::exp(v))); });
  close(UnaryKind::hard_swish, [](double v) { return v * std::min(1.0, std::max(0.0, v / 6 + 0.5)); });
  close(UnaryKind::leaky_relu, [](double v) { return v < 0 ? 0.125 * v : v; }, {UnaryKind::abs, 0.125F});
  close(UnaryKind::shrink, [](double v) { return v < -1 ? v + 0.5 : v > 1 ? v - 0.5 : 0; }, {UnaryKind::abs, 1, 0.5F});
  close(UnaryKind::celu, [](double v) { return v < 0 ? 2 * (std::exp(v / 2) - 1) : v; }, {UnaryKind::abs, 2});
  close(UnaryKind::log, [](double v) { return std::log(v); });
  close(UnaryKind::rsqrt, [](double v) { return 1 / std::sqrt(v); });
  close(UnaryKind::erf, [](double v) { return std::erf(v); });
}

TEST(Elementwise, ReluOfNanIsNan) {
  EXPECT_TRUE(std::isnan(compute(Unary{UnaryKind::relu}, {floats({1}, {NAN})}).numbers()[0]));
}

TEST(Elementwise, UnaryOfATypeWithoutItIsAnError) {
  EXPECT_EQ(compute(Unary{UnaryKind::exp}, {longs({1})}).error(), "expected floats, got i64");
}

TEST(Elementwise, ClipWithBoundsThatCross) {
  const Ran ran = compute(Clip{}, {floats({3}, {0, 5, 9}), floats({}, {6}), floats({}, {2})});
  EXPECT_EQ(ran.numbers(), (Floats{2, 2, 2}));  // as NumPy: the upper bound last
}

TEST(Elementwise, CastsTruncateAndRoundOnce) {
  EXPECT_EQ(compute(Cast{DType::i64}, {floats({4}, {1.9F, -1.9F, INFINITY, NAN})}).values<int64_t>(),
            (Longs{1, -1, INT64_MAX, 0}));
  // Between two halves, a little above the tie: by way of f32 it would become the tie, and round down.
  const double above = 1 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40);
  const Tensor x = Tensor::of<double>(DType::f64, {1}, std::array{above});
  EXPECT_EQ(compute(Cast{DType::f16}, {x}).values<uint16_t>()[0], f32_to_f16(1.0F + std::ldexp(1.0F, -10)));
  const int64_t odd = (int64_t{1} << 54) + (int64_t{1} << 30) + 1;
  EXPECT_EQ(compute(Cast{DType::f32}, {longs({odd})}).numbers()[0], static_cast<float>(odd));
  EXPECT_EQ(compute(Cast{DType::boolean}, {floats({2}, {0.5F, 0})}).values<bool>(), (std::vector<bool>{true, false}));
}

TEST(Elementwise, WherePicks) {
  const Tensor condition = Tensor::of<bool>(DType::boolean, {2, 1}, std::array{true, false});
  EXPECT_EQ(compute(Where{}, {condition, floats({2}, {1, 2}), floats({}, {9})}).numbers(), (Floats{1, 2, 9, 9}));
}

TEST(Elementwise, PowerHasTheTypeOfItsBase) {
  EXPECT_EQ(compute(Binary{BinaryKind::power}, {longs({3, -2}), longs({39, 3})}).values<int64_t>(),
            (Longs{4052555153018976267, -8}));
  EXPECT_EQ(compute(Binary{BinaryKind::power}, {floats({2}, {2, 4}), longs({3, -1})}).numbers(), (Floats{8, 0.25F}));
}

}  // namespace
}  // namespace halftone::network
