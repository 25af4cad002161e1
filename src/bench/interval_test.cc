// SPDX-License-Identifier: Apache-2.0
#include "bench/interval.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"

namespace halftone {
namespace {

TEST(MedianIntervalTest, RanksAreThoseOfTheTables) {
  // Two-sided 95 % ranks (Conover, Practical Nonparametric Statistics, table A3): n = 6: 1, 9: 2, 12: 3, 20: 6.
  const auto low_rank = [](int n) {
    std::vector<double> values;
    for (int i = n; i >= 1; --i) values.push_back(i);
    const MedianInterval interval = median_interval(values);
    EXPECT_DOUBLE_EQ(interval.low + interval.high, n + 1.0);
    return interval.low;
  };
  EXPECT_EQ(low_rank(6), 1);
  EXPECT_EQ(low_rank(8), 1);
  EXPECT_EQ(low_rank(9), 2);
  EXPECT_EQ(low_rank(12), 3);
  EXPECT_EQ(low_rank(20), 6);
}

TEST(MedianIntervalTest, MedianOfEvenAndOddCounts) {
  EXPECT_DOUBLE_EQ(median_interval(std::vector<double>{3, 1, 2}).median, 2);
  EXPECT_DOUBLE_EQ(median_interval(std::vector<double>{4, 1, 2, 3}).median, 2.5);
  EXPECT_EQ(median_interval({}).median, 0);
  const MedianInterval one = median_interval(std::vector<double>{5});
  EXPECT_EQ(one.low, 5);
  EXPECT_EQ(one.high, 5);
}

TEST(MedianIntervalTest, CoversTheTrueMedianAsOftenAsItSays) {
  Rng rng(5);
  int covered = 0;
  constexpr int kTrials = 4000;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> values;
    for (int i = 0; i < 12; ++i) values.push_back(rng.normal());
    const MedianInterval interval = median_interval(values);
    covered += interval.low <= 0 && 0 <= interval.high;
  }
  EXPECT_NEAR(covered / double{kTrials}, 0.9614, 0.012);  // exact for n = 12; 4 standard errors
}

}  // namespace
}  // namespace halftone
