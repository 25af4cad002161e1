// SPDX-License-Identifier: Apache-2.0
#include "metrics/bootstrap_statistic.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace halftone {
namespace {

// A ratio of sums is what bootstrap_means() computes in closed form.
TEST(BootstrapStatistic, AgreesWithTheMeanOfGroups) {
  Rng rng(8);
  GroupTable table;
  table.quantities = 1;
  for (int g = 0; g < 60; ++g) {
    table.counts.push_back(static_cast<double>(1 + rng.below(5)));
    const double value = rng.normal();
    table.sums.push_back(table.counts.back() * value * value);  // skewed
  }
  const BootstrapMean expected = bootstrap_means(table, 4000, 1)[0];
  const BootstrapMean found = bootstrap_statistic(60, 4000, 2, [&](std::span<const double> weights) {
    double count = 0, sum = 0;
    for (size_t g = 0; g < weights.size(); ++g) {
      count += weights[g] * table.counts[g];
      sum += weights[g] * table.sums[g];
    }
    return sum / count;
  });
  EXPECT_NEAR(found.mean, expected.mean, 1e-12);
  EXPECT_NEAR(found.deviation, expected.deviation, 0.06 * expected.deviation);
  EXPECT_NEAR(found.acceleration, expected.acceleration, 0.15 * expected.acceleration);
  EXPECT_GT(expected.acceleration, 0.01);
  const Interval a = bootstrap_interval(found, 0.95), b = bootstrap_interval(expected, 0.95);
  const double width = b.high - b.low;
  EXPECT_NEAR(a.low, b.low, 0.05 * width);
  EXPECT_NEAR(a.high, b.high, 0.05 * width);
}

TEST(BootstrapStatistic, ManyGroupsGoInBlocksAndFewHaveNoInterval) {
  Rng rng(9);
  std::vector<double> values;
  for (int g = 0; g < 1000; ++g) values.push_back(rng.uniform() < 0.1 ? 5.0 : 0.0);
  const auto mean = [&](std::span<const double> weights) {
    double count = 0, sum = 0;
    for (size_t g = 0; g < weights.size(); ++g) {
      count += weights[g];
      sum += weights[g] * values[g];
    }
    return sum / count;
  };
  const BootstrapMean found = bootstrap_statistic(1000, 200, 1, mean);
  GroupTable table{1, std::vector<double>(1000, 1.0), values};
  EXPECT_NEAR(found.acceleration, bootstrap_means(table, 10, 1)[0].acceleration, 0.006);
  EXPECT_EQ(bootstrap_statistic(1000, 200, 1, mean).replicates, found.replicates);
  values.resize(7);
  EXPECT_FALSE(has_interval(bootstrap_statistic(7, 200, 1, mean)));
}

}  // namespace
}  // namespace halftone
