// SPDX-License-Identifier: Apache-2.0
#include "metrics/paired.h"

#include <gtest/gtest.h>

#include <cmath>

#include "metrics/sample_size.h"
#include "metrics/special.h"

namespace halftone {
namespace {

// Log-likelihood of (lost, gained, rest) when the loss is fixed and the gained probability is `gained`.
double log_likelihood(const PairedCounts& c, double loss, double gained) {
  const double lost = gained + loss, rest = 1 - lost - gained;
  const auto term = [](double count, double p) { return count == 0 ? 0 : p > 0 ? count * std::log(p) : -1e300; };
  return term(c.lost, lost) + term(c.gained, gained) + term(c.n - c.lost - c.gained, rest);
}

TEST(Tango, statistic_uses_the_constrained_maximum_likelihood_estimate) {
  const PairedCounts counts{160, 40, 20};
  for (const double loss : {0.02, 0.1, 0.25}) {
    double best = 0, at = -1e300;
    for (int i = 1; i < 400000; ++i) {  // a search that knows nothing of the closed form
      const double gained = (1 - loss) / 2 * i / 400000;
      const double value = log_likelihood(counts, loss, gained);
      if (value > at) at = value, best = gained;
    }
    const double z = (20 - 160 * loss) / std::sqrt(160 * (2 * best + loss * (1 - loss)));
    EXPECT_NEAR(tango_z(counts, loss), z, 1e-4) << loss;
  }
}

TEST(Tango, interval_of_a_published_example) {
  // Airway hyper-responsiveness, 1 and 7 discordant of 21 (Fagerland, Lydersen, Laake 2014): -0.517 to -0.026.
  EXPECT_NEAR(tango_z({21, 1, 7}, -0.517), 1.96, 0.005);
  EXPECT_NEAR(tango_z({21, 1, 7}, -0.026), -1.96, 0.005);
}

TEST(Tango, symmetry_and_closed_form) {
  EXPECT_NEAR(tango_z({100, 7, 3}, 0), 4 / std::sqrt(10.0), 1e-12);  // McNemar's statistic
  EXPECT_NEAR(tango_z({100, 7, 3}, 0.05), -tango_z({100, 3, 7}, -0.05), 1e-12);
  const double z = normal_quantile(0.95);  // no discordant pair: the score bound is z^2 / (n + z^2)
  EXPECT_NEAR(tango_z({50, 0, 0}, z * z / (50 + z * z)), -z, 1e-12);
}

TEST(LossBound, no_discordant_pair_gives_the_exact_bound) {
  EXPECT_NEAR(loss_upper({50, 0, 0}, 0.95), 0.0582, 5e-5);
  EXPECT_NEAR(loss_lower({50, 0, 0}, 0.95), -0.0582, 5e-5);
  EXPECT_NEAR(loss_upper({4000, 0, 0}, 0.95), 0.000749, 1e-6);
}

TEST(LossBound, many_pairs_approach_the_normal_interval) {
  const PairedCounts counts{20000, 900, 700};
  const double loss = 0.01, se = std::sqrt((0.08 - loss * loss) / 20000);
  EXPECT_NEAR(loss_upper(counts, 0.95), loss + 1.645 * se, 1e-4);
  EXPECT_NEAR(loss_lower(counts, 0.95), loss - 1.645 * se, 1e-4);
  const Interval both = loss_interval(counts, 0.95);
  EXPECT_NEAR(both.high - both.low, 2 * 1.96 * se, 1e-4);
}

TEST(LossBound, inverts_its_p_value) {
  for (const PairedCounts counts :
       {PairedCounts{300, 9, 2}, {300, 2, 9}, {50, 0, 4}, {1000, 31, 31}, {120.5, 3.2, 0.4}}) {
    EXPECT_NEAR(loss_inside_p(counts, loss_upper(counts, 0.95)), 0.05, 1e-9);
    EXPECT_NEAR(loss_beyond_p(counts, loss_lower(counts, 0.95)), 0.05, 1e-9);
    EXPECT_LT(loss_lower(counts, 0.95), paired_loss(counts));
    EXPECT_GT(loss_upper(counts, 0.95), paired_loss(counts));
  }
}

TEST(LossBound, nothing_measured_bounds_nothing) {
  EXPECT_EQ(loss_upper({0, 0, 0}, 0.95), 1);
  EXPECT_EQ(loss_lower({0, 0, 0}, 0.95), -1);
}

// Probability that the gate errs when the true loss sits on the limit, summed over every outcome (not simulated).
struct Errors {
  double pass = 0, fail = 0;
};
Errors errors_at_limit(int n, double limit, double gained) {
  const double lost = limit + gained, rest = 1 - lost - gained;
  Errors errors;
  for (int b = 0; b <= n; ++b) {
    for (int c = 0; b + c <= n; ++c) {
      const double log_p = log_gamma(n + 1) - log_gamma(b + 1) - log_gamma(c + 1) - log_gamma(n - b - c + 1) +
                           b * std::log(lost) + (c ? c * std::log(gained) : 0) + (n - b - c) * std::log(rest);
      if (log_p < -25 || (c && gained == 0)) continue;
      const PairedCounts counts{static_cast<double>(n), static_cast<double>(b), static_cast<double>(c)};
      if (loss_inside_p(counts, limit) < 0.05) errors.pass += std::exp(log_p);
      if (loss_beyond_p(counts, limit) < 0.05) errors.fail += std::exp(log_p);
    }
  }
  return errors;
}

TEST(LossBound, error_rates_at_the_limit_stay_near_five_per_cent) {
  int cases = 0;
  for (const int n : {50, 200}) {
    for (const double limit : {0.01, 0.03, 0.1}) {
      for (const double gained : {0.0, 0.005, 0.02, 0.05}) {
        const Errors errors = errors_at_limit(n, limit, gained);
        EXPECT_LE(errors.pass, 0.0525) << n << " " << limit << " " << gained;
        EXPECT_LE(errors.fail, 0.0605) << n << " " << limit << " " << gained;
        ++cases;
      }
    }
  }
  EXPECT_EQ(cases, 24);
}

TEST(McNemar, mid_p_of_a_published_example) {
  EXPECT_NEAR(mcnemar_mid_p(1, 7), 0.0390625, 1e-12);  // Fagerland et al. 2013, table 1: 0.039
  EXPECT_NEAR(mcnemar_mid_p(7, 1), 0.0390625, 1e-12);
  EXPECT_EQ(mcnemar_mid_p(0, 0), 1);
  EXPECT_EQ(mcnemar_mid_p(4, 4), 1);
}

TEST(Holm, adjusts_in_order) {
  const std::vector<double> p = {0.01, 0.04, 0.03, 0.005};
  const std::vector<double> adjusted = holm_adjusted(p);  // R: p.adjust(p, "holm")
  EXPECT_NEAR(adjusted[0], 0.03, 1e-15);
  EXPECT_NEAR(adjusted[1], 0.06, 1e-15);
  EXPECT_NEAR(adjusted[2], 0.06, 1e-15);
  EXPECT_NEAR(adjusted[3], 0.02, 1e-15);
  EXPECT_TRUE(holm_adjusted({}).empty());
  EXPECT_EQ(holm_adjusted(std::vector<double>{0.9, 0.8})[0], 1);
}

TEST(SampleSize, matches_known_designs) {
  // 8 % discordant, half a point: about 20,000 paired questions.
  EXPECT_NEAR(static_cast<double>(*samples_for_loss({10000, 400, 400}, 0.005)), 19784, 2);
  EXPECT_EQ(*samples_for_loss({50, 0, 0}, 0.01), 299);  // ln 0.05 / ln 0.99
  EXPECT_EQ(*samples_for_proportion(0, 50, 0.005), 598);
  EXPECT_FALSE(samples_for_loss({100, 1, 0}, 0.01).has_value());  // the estimate is the limit: no n decides
  EXPECT_FALSE(samples_for_proportion(0, 10, 0).has_value());
  EXPECT_EQ(*samples_for_mean(1, 0, 1), 7);  // (1.645 + 0.842)^2 = 6.18
}

}  // namespace
}  // namespace halftone
