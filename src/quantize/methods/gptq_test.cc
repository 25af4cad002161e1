// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/gptq.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "quantize/methods/test_matrix.h"

namespace halftone {
namespace {

using Square = std::vector<double>;

// Inverse by Gauss and Jordan, and the upper Cholesky factor: plain and slow.
Square inverse_of(Square a, size_t n) {
  Square inverse(n * n, 0);
  for (size_t i = 0; i < n; ++i) inverse[i * n + i] = 1;
  for (size_t p = 0; p < n; ++p) {
    const double pivot = a[p * n + p];
    for (size_t k = 0; k < n; ++k) {
      a[p * n + k] /= pivot;
      inverse[p * n + k] /= pivot;
    }
    for (size_t r = 0; r < n; ++r) {
      const double times = a[r * n + p];
      if (r == p || times == 0) continue;
      for (size_t k = 0; k < n; ++k) {
        a[r * n + k] -= times * a[p * n + k];
        inverse[r * n + k] -= times * inverse[p * n + k];
      }
    }
  }
  return inverse;
}

Square upper_factor(const Square& a, size_t n) {  // a = U^T U
  Square u(n * n, 0);
  for (size_t r = 0; r < n; ++r) {
    for (size_t c = r; c < n; ++c) {
      double sum = a[r * n + c];
      for (size_t k = 0; k < r; ++k) sum -= u[k * n + r] * u[k * n + c];
      u[r * n + c] = c == r ? std::sqrt(sum) : sum / u[r * n + r];
    }
  }
  return u;
}

// The algorithm as the paper states it, with the scales that `choice` stored: one code after the other, the error
// spread over all columns not yet quantized through the factor of the inverse Hessian.
std::vector<float> by_the_paper(const TestMatrix& matrix, const TestChoice& choice) {
  const auto n = static_cast<size_t>(matrix.columns);
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return matrix.second_moment[a] > matrix.second_moment[b]; });
  double mean = 0;
  for (const float moment : matrix.second_moment) mean += static_cast<double>(moment) / static_cast<double>(n);
  Square h(n * n);
  for (size_t a = 0; a < n; ++a)
    for (size_t b = 0; b < n; ++b)
      h[a * n + b] = static_cast<double>(matrix.hessian[order[a] * n + order[b]]) + (a == b ? 0.01 * mean : 0);
  const Square u = upper_factor(inverse_of(h, n), n);
  const Layout& layout = *choice.layout;
  const auto width = static_cast<size_t>(layout.group == 0 ? matrix.columns : layout.group);
  const auto groups = static_cast<size_t>(layout.groups(matrix.columns));
  std::vector<float> decoded(matrix.values.size());
  for (size_t row = 0; row < static_cast<size_t>(matrix.rows); ++row) {
    std::vector<double> w(n);
    for (size_t j = 0; j < n; ++j) w[j] = static_cast<double>(matrix.values[row * n + order[j]]);
    for (size_t j = 0; j < n; ++j) {
      const size_t group = row * groups + order[j] / width;
      const auto scale = static_cast<double>(f16_to_f32(choice.scales[group]));
      const double base = layout.affine ? static_cast<double>(f16_to_f32(choice.bases[group])) : 0;
      const double low = layout.affine ? 0 : layout.bits == 8 ? layout.q_min : -layout.offset;
      const double code = std::clamp(std::nearbyint((w[j] - base) / scale), low,
                                     low + (layout.bits == 8 && !layout.affine ? 254 : 2 * layout.offset - 1));
      const double value = code * scale + base;
      decoded[row * n + order[j]] = static_cast<float>(value);
      const double error = (w[j] - value) / u[j * n + j];
      for (size_t k = j; k < n; ++k) w[k] -= error * u[j * n + k];
    }
  }
  return decoded;
}

template <int kSweeps>
void with_sweeps(const Layout& layout, const MethodInput& input, const MethodOutput& output) {
  choose_with_feedback(layout, input, kSweeps, output);
}

TEST(Gptq, ChoosesTheCodesOfThePaper) {
  for (const LayoutId id :
       {LayoutId::int4_block32, LayoutId::uint4_affine64, LayoutId::int3_block32, LayoutId::int8_channel}) {
    const TestMatrix matrix = test_matrix(21, 172, 5);
    const TestChoice choice = choose_all("gptq", layout_of(id), matrix, matrix.statistics(), 1, with_sweeps<0>);
    ASSERT_TRUE(choice.finite);
    const std::vector<float> paper = by_the_paper(matrix, choice);
    int64_t same = 0;
    for (size_t i = 0; i < paper.size(); ++i)
      same += std::fabs(paper[i] - choice.decoded[i]) <= 1e-6f * (1 + std::fabs(paper[i])) ? 1 : 0;
    EXPECT_GE(same, 0.98 * static_cast<double>(paper.size())) << layout_of(id).name;
    EXPECT_NEAR(proxy_loss(matrix, choice.decoded) / proxy_loss(matrix, paper), 1, 0.01) << layout_of(id).name;
  }
}

TEST(Gptq, LosesLessThanNearestAndSearch) {
  for (const LayoutId id : {LayoutId::int4_block32, LayoutId::int4_channel, LayoutId::int3_block32,
                            LayoutId::uint4_affine64, LayoutId::int8_channel}) {
    const Layout& layout = layout_of(id);
    const TestMatrix matrix = test_matrix(32, 384, 9);
    const double nearest = proxy_loss(matrix, choose_all("nearest", layout, matrix, {}).decoded);
    const double search = proxy_loss(matrix, choose_all("search", layout, matrix, matrix.statistics()).decoded);
    const double gptq = proxy_loss(matrix, choose_all("gptq", layout, matrix, matrix.statistics()).decoded);
    EXPECT_LT(search, nearest) << layout.name;
    EXPECT_LT(gptq, 0.1 * nearest) << layout.name;  // the inputs span half of the columns
  }
}

TEST(Gptq, SweepsNeverRaiseTheLoss) {
  for (const LayoutId id : {LayoutId::int4_block32, LayoutId::int4_channel, LayoutId::int3_block32,
                            LayoutId::uint4_affine64, LayoutId::uint2_affine128, LayoutId::int8_channel}) {
    const TestMatrix matrix = test_matrix(20, 300, 23);
    double mean = 0;
    for (const float moment : matrix.second_moment) mean += static_cast<double>(moment) / 300;
    TestMatrix damped = matrix;  // what is minimised
    for (size_t k = 0; k < 300; ++k) damped.hessian[k * 300 + k] += static_cast<float>(0.01 * mean);
    const auto loss = [&](Choose choose) {
      return proxy_loss(damped, choose_all("gptq", layout_of(id), matrix, matrix.statistics(), 1, choose).decoded);
    };
    const double none = loss(with_sweeps<0>), one = loss(with_sweeps<1>), two = loss(with_sweeps<2>);
    EXPECT_LT(one, 0.995 * none) << layout_of(id).name;
    EXPECT_LE(two, one) << layout_of(id).name;
    EXPECT_LE(loss(with_sweeps<6>), two) << layout_of(id).name;
  }
}

TEST(Gptq, ThreadsDoNotChangeTheResult) {
  const TestMatrix matrix = test_matrix(40, 300, 17);
  const Layout& layout = layout_of(LayoutId::int4_block32);
  const TestChoice one = choose_all("gptq", layout, matrix, matrix.statistics());
  const TestChoice three = choose_all("gptq", layout, matrix, matrix.statistics(), 3);
  EXPECT_EQ(one.codes, three.codes);
  EXPECT_EQ(one.scales, three.scales);
}

TEST(Gptq, UncorrelatedInputsOfOneSizeGiveWhatSearchGives) {
  TestMatrix matrix = test_matrix(16, 96, 3);
  std::fill(matrix.hessian.begin(), matrix.hessian.end(), 0.0f);
  for (size_t k = 0; k < 96; ++k) matrix.hessian[k * 96 + k] = 4;
  std::fill(matrix.second_moment.begin(), matrix.second_moment.end(), 4.0f);
  const Layout& layout = layout_of(LayoutId::int4_block32);
  EXPECT_EQ(choose_all("gptq", layout, matrix, matrix.statistics()).codes,
            choose_all("search", layout, matrix, matrix.statistics()).codes);
}

// One input repeated gives a Hessian of rank one; a dead channel a row and column of zeros.
TEST(Gptq, SingularHessiansAreDamped) {
  TestMatrix matrix = test_matrix(16, 140, 3, 1);
  for (size_t k = 0; k < 140; ++k) matrix.hessian[k * 140 + 7] = matrix.hessian[7 * 140 + k] = 0;
  const TestChoice choice = choose_all("gptq", layout_of(LayoutId::int4_block64), matrix, matrix.statistics());
  ASSERT_FALSE(choice.decoded.empty());
  EXPECT_TRUE(choice.finite);
  const TestChoice nearest = choose_all("nearest", layout_of(LayoutId::int4_block64), matrix, {});
  EXPECT_LT(proxy_loss(matrix, choice.decoded), 0.05 * proxy_loss(matrix, nearest.decoded));
  std::fill(matrix.hessian.begin(), matrix.hessian.end(), 0.0f);  // nothing but zeros came in
  EXPECT_TRUE(choose_all("gptq", layout_of(LayoutId::int4_block64), matrix, matrix.statistics()).finite);
}

TEST(Gptq, DamagedStatisticsAreErrors) {
  const Method& gptq = *find_method("gptq");
  const MatrixReader reader{16, 64, [](int64_t, float* out) { std::fill_n(out, 64, 1.0f); }};
  const Layout& layout = layout_of(LayoutId::int4_block32);
  ThreadPool pool(1);
  const auto message = [&](const std::vector<float>& hessian) {
    return std::string(gptq.prepare(layout, reader, {10, {}, hessian}, pool).status().message());
  };
  EXPECT_NE(message({}).find("expected a Hessian of 64 columns"), std::string::npos);
  std::vector<float> hessian(64 * 64, 0.0f);
  hessian[65 * 3] = std::nanf("");
  EXPECT_NE(message(hessian).find("nan at column 3"), std::string::npos) << message(hessian);
  hessian[65 * 3] = 1;
  hessian[3] = hessian[64 * 3] = 1e30f;  // no second moments can give this
  EXPECT_NE(message(hessian).find("positive once its diagonal is damped"), std::string::npos) << message(hessian);
}

}  // namespace
}  // namespace halftone
