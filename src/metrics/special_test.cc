// SPDX-License-Identifier: Apache-2.0
#include "metrics/special.h"

#include <gtest/gtest.h>

#include <cmath>

namespace halftone {
namespace {

// Values to 16 digits from an arbitrary-precision library (30 digits of working precision).
TEST(Special, log_gamma_matches_known_values) {
  EXPECT_NEAR(log_gamma(0.5), 0.5723649429247001, 1e-14);
  EXPECT_NEAR(log_gamma(3.7), 1.428072326665388, 1e-14);
  EXPECT_NEAR(log_gamma(1e6), 12815504.56914761, 1e-8);
  EXPECT_NEAR(log_gamma(1), 0, 1e-14);
  EXPECT_NEAR(log_gamma(2), 0, 1e-14);
}

TEST(Special, incomplete_beta_matches_known_values) {
  EXPECT_NEAR(incomplete_beta(2, 3, 0.4), 0.5248, 1e-14);                     // closed form: 6x^2 - 8x^3 + 3x^4
  EXPECT_NEAR(incomplete_beta(0.5, 0.5, 0.1), 0.2048327646991334575, 1e-14);  // (2/pi) asin sqrt x
  EXPECT_NEAR(incomplete_beta(200, 3800, 0.055), 0.9235254188727482906, 1e-12);
  EXPECT_EQ(incomplete_beta(2, 3, -1), 0);
  EXPECT_EQ(incomplete_beta(2, 3, 1), 1);
  for (const double x : {1e-6, 0.03, 0.5, 0.97})
    EXPECT_NEAR(incomplete_beta(7, 1.5, x), 1 - incomplete_beta(1.5, 7, 1 - x), 1e-14) << x;
  // A million samples: the continued fraction still converges, to the normal limit.
  EXPECT_NEAR(incomplete_beta(5e5, 5e5, 0.5), 0.5, 1e-9);
}

TEST(Special, inverses_undo_their_functions) {
  for (const double p : {1e-6, 0.025, 0.5, 0.95, 0.999}) {
    EXPECT_NEAR(incomplete_beta(3, 48, inverse_incomplete_beta(3, 48, p)), p, 1e-12);
    EXPECT_NEAR(normal_cdf(normal_quantile(p)), p, 1e-15);
    EXPECT_NEAR(student_t_cdf(student_t_quantile(p, 4), 4), p, 1e-12);
  }
}

TEST(Special, normal_and_t_quantiles_match_the_tables) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-14);
  EXPECT_NEAR(normal_quantile(0.95), 1.644853626951473, 1e-14);
  EXPECT_NEAR(normal_quantile(1e-6), -4.753424308822899, 1e-12);
  EXPECT_NEAR(student_t_quantile(0.95, 9), 1.833112932656237, 1e-10);
  EXPECT_NEAR(student_t_quantile(0.975, 9), 2.262157162798206, 1e-10);
  EXPECT_NEAR(student_t_quantile(0.9, 2.5), 1.730250928807177, 1e-10);
  EXPECT_NEAR(student_t_quantile(0.975, 1), 12.70620473617471, 1e-9);  // Cauchy: tan(0.475 pi)
}

TEST(Special, binomial_tails_match_direct_sums) {
  const double n = 20, p = 0.3;
  double below = 0;
  for (int k = 0; k <= 20; ++k) {
    EXPECT_NEAR(binomial_at_least(k, n, p), 1 - below, 1e-13) << k;
    below += std::exp(std::lgamma(21.0) - std::lgamma(k + 1.0) - std::lgamma(21.0 - k)) * std::pow(p, k) *
             std::pow(1 - p, n - k);
    EXPECT_NEAR(binomial_at_most(k, n, p), below, 1e-13) << k;
  }
  EXPECT_EQ(binomial_at_most(-1, n, p), 0);
  EXPECT_EQ(binomial_at_least(21, n, p), 0);
}

TEST(Special, solve_increasing_stays_inside_its_range) {
  EXPECT_NEAR(solve_increasing([](double x) { return x * x - 2; }, 0, 2), std::sqrt(2.0), 1e-15);
  EXPECT_NEAR(solve_increasing([](double) { return -1.0; }, 0, 2), 2, 1e-15);
  EXPECT_NEAR(solve_increasing([](double) { return 1.0; }, 0, 2), 0, 1e-15);
}

}  // namespace
}  // namespace halftone
