// SPDX-License-Identifier: Apache-2.0
#include "metrics/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "metrics/special.h"

namespace halftone {
namespace {

GroupTable singles(const std::vector<double>& values) { return {1, std::vector<double>(values.size(), 1.0), values}; }

TEST(Bootstrap, normal_data_give_the_t_interval) {
  Rng rng(1);
  std::vector<double> values(400);
  for (double& value : values) value = 3 + 2 * rng.normal();
  const BootstrapMean mean = bootstrap_means(singles(values), 10000, 7)[0];
  const Interval t = mean_interval(values, 0.95), b = bootstrap_interval(mean, 0.95);
  EXPECT_NEAR(b.low, t.low, 0.01);
  EXPECT_NEAR(b.high, t.high, 0.01);
  EXPECT_NEAR(mean.deviation, 2, 0.2);
}

TEST(Bootstrap, is_seeded_and_pairs_quantities) {
  Rng rng(2);
  GroupTable table{6, std::vector<double>(50, 2.0), {}};
  for (int g = 0; g < 50; ++g) {
    const double value = rng.normal();
    for (int q = 0; q < 6; ++q) table.sums.push_back(value + q * 2.0);  // sums over 2 samples: means differ by q
  }
  const auto first = bootstrap_means(table, 500, 11), again = bootstrap_means(table, 500, 11);
  const auto other = bootstrap_means(table, 500, 12);
  EXPECT_EQ(first[5].replicates, again[5].replicates);
  EXPECT_NE(first[5].replicates, other[5].replicates);
  for (int r = 0; r < 500; ++r) EXPECT_NEAR(first[5].replicates[r] - first[0].replicates[r], 5, 1e-12);
}

TEST(Bootstrap, p_values_invert_the_bounds) {
  Rng rng(5);
  std::vector<double> values(60);
  for (double& value : values) value = std::exp(rng.normal());
  const BootstrapMean mean = bootstrap_means(singles(values), 10000, 7)[0];
  EXPECT_NEAR(mean_inside_p(mean, bootstrap_upper(mean, 0.95)), 0.05, 2e-3);
  EXPECT_NEAR(mean_beyond_p(mean, bootstrap_lower(mean, 0.95)), 0.05, 2e-3);
  EXPECT_GT(mean.acceleration, 0);  // skewed to the right: the upper bound reaches further
  EXPECT_GT(bootstrap_upper(mean, 0.95) - mean.mean, mean.mean - bootstrap_lower(mean, 0.95));
  EXPECT_LT(mean_beyond_p(mean, -1), 1e-3);
  EXPECT_GT(mean_beyond_p(mean, -1), 0);  // 10,000 replicates cannot show p = 0
}

TEST(Bootstrap, groups_widen_the_interval) {
  Rng rng(8);
  std::vector<double> alone;
  GroupTable grouped{1, {}, {}};
  for (int g = 0; g < 100; ++g) {
    const double shared = rng.normal();
    double sum = 0;
    for (int i = 0; i < 10; ++i) {
      alone.push_back(shared + 0.1 * rng.normal());
      sum += alone.back();
    }
    grouped.counts.push_back(10);
    grouped.sums.push_back(sum);
  }
  const Interval naive = bootstrap_interval(bootstrap_means(singles(alone), 4000, 1)[0], 0.95);
  const Interval honest = bootstrap_interval(bootstrap_means(grouped, 4000, 1)[0], 0.95);
  EXPECT_NEAR((honest.high - honest.low) / (naive.high - naive.low), std::sqrt(10.0), 0.5);
}

TEST(Bootstrap, too_few_groups_give_a_mean_but_no_interval) {
  const BootstrapMean mean = bootstrap_means(singles({1, 2, 3}), 1000, 1)[0];
  EXPECT_EQ(mean.mean, 2);
  EXPECT_FALSE(has_interval(mean));
  EXPECT_FALSE(has_interval(bootstrap_means(GroupTable{1, {}, {}}, 1000, 1)[0]));
}

TEST(Bootstrap, equal_groups_have_no_spread) {
  const BootstrapMean mean = bootstrap_means(singles(std::vector<double>(20, 0.25)), 100, 1)[0];
  EXPECT_EQ(bootstrap_upper(mean, 0.95), 0.25);
  EXPECT_EQ(bootstrap_lower(mean, 0.95), 0.25);
  EXPECT_EQ(mean_inside_p(mean, 0.5), 0);
  EXPECT_EQ(mean_beyond_p(mean, 0.5), 1);
}

// Coverage on skewed data (log-normal, like KL per window), seeded. 1,500 studies: a standard error of 0.6 points.
TEST(Bootstrap, covers_the_true_mean_of_skewed_data) {
  Rng rng(2024);
  const double truth = std::exp(0.125);  // exp(sigma^2 / 2), sigma 0.5
  int covered = 0, under_upper = 0, studies = 1500;
  for (int s = 0; s < studies; ++s) {
    std::vector<double> values(30);
    for (double& value : values) value = std::exp(0.5 * rng.normal());
    const BootstrapMean mean = bootstrap_means(singles(values), 999, 100 + s)[0];
    const Interval interval = bootstrap_interval(mean, 0.95);
    covered += interval.low <= truth && truth <= interval.high;
    under_upper += truth <= bootstrap_upper(mean, 0.95);
  }
  EXPECT_NEAR(covered / static_cast<double>(studies), 0.95, 0.02);
  EXPECT_NEAR(under_upper / static_cast<double>(studies), 0.95, 0.02);
}

TEST(MeanInterval, textbook_case) {
  const Interval interval = mean_interval(std::vector<double>{1, 2, 3, 4, 5}, 0.95);
  EXPECT_NEAR(interval.low, 3 - 2.776445 * std::sqrt(0.5), 1e-5);
  EXPECT_NEAR(interval.high, 3 + 2.776445 * std::sqrt(0.5), 1e-5);
  EXPECT_TRUE(std::isinf(mean_interval(std::vector<double>{1}, 0.95).high));
}

}  // namespace
}  // namespace halftone
