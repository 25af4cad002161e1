// SPDX-License-Identifier: Apache-2.0
#include "quantize/products.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/rng.h"

namespace halftone {
namespace {

std::vector<float> random_matrix(int64_t rows, int64_t columns, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(rows * columns));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

// The contract: one chain of fused multiply-adds over k ascending.
float chain(int64_t count, const std::function<float(int64_t)>& a, const std::function<float(int64_t)>& b) {
  float sum = 0;
  for (int64_t k = 0; k < count; ++k) sum = std::fma(a(k), b(k), sum);
  return sum;
}

class ProductsOf : public testing::TestWithParam<int> {
 protected:
  ThreadPool pool_{GetParam()};
  Products products_ = Products::create(pool_).value();
};

// More than a block of tokens and of panels, and rests of both.
constexpr int64_t kTokens = 270, kDepth = 41, kOuter = 139;

TEST_P(ProductsOf, AreChainsOfFusedMultiplyAdds) {
  const std::vector<float> x = random_matrix(kTokens, kDepth, 1), w = random_matrix(kOuter, kDepth, 2);
  const std::vector<float> u = random_matrix(kDepth, kOuter, 3), z = random_matrix(kTokens, kOuter, 4);
  std::vector<float> y(kTokens * kOuter), by(kTokens * kOuter), turned(kDepth * kOuter);
  const WeightView view = {&layout_of(LayoutId::f32), Order::rows, kOuter, kDepth, std::as_bytes(std::span(w))};
  ASSERT_TRUE(products_.by_transposed(x.data(), kTokens, view, y.data()).ok());
  products_.by(x.data(), kTokens, u.data(), kDepth, kOuter, by.data());
  products_.transposed_by(x.data(), kDepth, z.data(), kOuter, kTokens, turned.data());
  const auto at = [](const std::vector<float>& m, int64_t row, int64_t columns, int64_t column) {
    return m[static_cast<size_t>(row * columns + column)];
  };
  for (int64_t j = 0; j < kOuter; ++j) {
    for (int64_t t = 0; t < kTokens; ++t) {
      const auto x_at = [&](int64_t k) { return at(x, t, kDepth, k); };
      ASSERT_EQ(at(y, t, kOuter, j), chain(kDepth, x_at, [&](int64_t k) { return at(w, j, kDepth, k); }));
      ASSERT_EQ(at(by, t, kOuter, j), chain(kDepth, x_at, [&](int64_t k) { return at(u, k, kOuter, j); }));
    }
    for (int64_t i = 0; i < kDepth; ++i) {
      ASSERT_EQ(at(turned, i, kOuter, j), chain(
                                              kTokens, [&](int64_t t) { return at(x, t, kDepth, i); },
                                              [&](int64_t t) { return at(z, t, kOuter, j); }));
    }
  }
}

TEST_P(ProductsOf, TheGramMatrixIsAddedToWhatWasThere) {
  constexpr int64_t kColumns = 530, kRows = 23;  // blocks above, on and below the diagonal
  const std::vector<float> x = random_matrix(kRows, kColumns, 5), before = random_matrix(kColumns, kColumns, 6);
  std::vector<float> gram = before, product(kColumns * kColumns);
  products_.add_gram(x.data(), kColumns, kRows, gram.data());
  mirror_upper(gram.data(), kColumns);
  products_.transposed_by(x.data(), kColumns, x.data(), kColumns, kRows, product.data());
  for (size_t i = 0; i < kColumns; ++i) {
    for (size_t j = 0; j < kColumns; ++j) {
      const size_t at = std::min(i, j) * kColumns + std::max(i, j);
      ASSERT_EQ(gram[i * kColumns + j], before[at] + product[at]) << i << " " << j;
    }
  }
}

// So many rows that the columns come in several parts, the last one no whole panel.
TEST_P(ProductsOf, AStoredMatrixIsDecodedInParts) {
  constexpr int64_t kRows = (1 << 20) + 5, kColumns = 37, kFew = 2;
  const Layout& layout = layout_of(LayoutId::bf16);
  std::vector<uint16_t> stored(kRows * kColumns);
  Rng rng(8);
  for (uint16_t& one : stored) one = static_cast<uint16_t>(0x3c00 + rng.below(1024) + (rng.below(2) << 15));
  const WeightView view = {&layout, Order::rows, kRows, kColumns, std::as_bytes(std::span(stored))};
  std::vector<float> decoded(stored.size()), want(kFew * kColumns), got(want.size());
  for (int64_t row = 0; row < kRows; ++row) decode_row(view, row, decoded.data() + row * kColumns);
  const std::vector<float> x = random_matrix(kFew, kRows, 9);
  products_.by(x.data(), kFew, decoded.data(), kRows, kColumns, want.data());
  products_.by_stored(x.data(), kFew, view, got.data());
  EXPECT_EQ(got, want);
}

TEST_P(ProductsOf, ALayoutWithoutAKernelIsNamed) {
  const std::vector<float> x(16);
  std::vector<float> y(16);
  const WeightView view = {&layout_of(LayoutId::int8_channel), Order::rows, 16, 16, {}};  // no such order
  const Status status = products_.by_transposed(x.data(), 1, view, y.data());
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find("expected a kernel for layout int8_channel"), std::string_view::npos);
}

INSTANTIATE_TEST_SUITE_P(Threads, ProductsOf, testing::Values(1, 3));

}  // namespace
}  // namespace halftone
