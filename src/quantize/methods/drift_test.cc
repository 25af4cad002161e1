// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/drift.h"

#include <gtest/gtest.h>

#include <cmath>

#include "quantize/methods/methods.h"
#include "quantize/methods/test_matrix.h"

namespace halftone {
namespace {

// x that solves x A = b, by Gauss without pivots: A is positive.
std::vector<double> solved_row(std::vector<double> a, std::vector<double> b) {
  const size_t n = b.size();
  for (size_t p = 0; p < n; ++p)
    for (size_t c = p + 1; c < n; ++c) {
      const double times = a[p * n + c] / a[p * n + p];
      for (size_t r = 0; r < n; ++r) a[r * n + c] -= times * a[r * n + p];
      b[c] -= times * b[p];
    }
  for (size_t p = n; p-- > 0;) {
    for (size_t r = p + 1; r < n; ++r) b[p] -= b[r] * a[r * n + p];
    b[p] /= a[p * n + p];
  }
  return b;
}

class Drift : public testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Columns, Drift, testing::Values(1, 9, 64, 65, 150));

TEST_P(Drift, MovesRowsAsThePlainSolutionDoes) {
  const auto n = static_cast<size_t>(GetParam());
  const TestMatrix matrix = test_matrix(16, GetParam(), 5);
  Rng rng(6);
  std::vector<float> drift(n * n);
  for (float& value : drift) value = static_cast<float>(0.3 * rng.normal());
  InputStatistics statistics = matrix.statistics();
  statistics.drift = drift;
  ThreadPool pool(2);
  const MatrixReader reader{16, GetParam(), [](int64_t, float*) {}};
  const auto made = prepare_gptq(layout_of(LayoutId::int4_channel), reader, statistics, pool);
  ASSERT_TRUE(made.ok());
  const auto& shared = static_cast<const HessianFactor&>(**made);
  AlignedBuffer<Lanes> rows = lanes_of({matrix.values, 16, GetParam(), statistics, made->get(), 0});
  follow_drift(shared, GetParam(), rows.data());
  std::vector<double> damped(matrix.hessian.begin(), matrix.hessian.end());
  for (size_t k = 0; k < n; ++k) damped[k * n + k] += shared.damping;
  for (size_t row = 0; row < 16; ++row) {
    std::vector<double> moved(n);  // w D: D is the transposed of what is stored
    double size = 0;
    for (size_t j = 0; j < n; ++j)
      for (size_t k = 0; k < n; ++k)
        moved[j] += static_cast<double>(matrix.values[row * n + k]) * static_cast<double>(drift[j * n + k]);
    const std::vector<double> steps = solved_row(damped, moved);
    for (const double step : steps) size = std::max(size, std::fabs(step));
    ASSERT_GT(size, 0);
    for (size_t k = 0; k < n; ++k)
      EXPECT_NEAR(static_cast<double>(rows.data()[k].at[row]) - static_cast<double>(matrix.values[row * n + k]),
                  steps[k], 2e-3 * size)
          << row << " " << k;
  }
}

}  // namespace
}  // namespace halftone
