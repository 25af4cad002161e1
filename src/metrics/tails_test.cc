// SPDX-License-Identifier: Apache-2.0
#include "metrics/tails.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace halftone {
namespace {

std::vector<double> ramp(int n) {
  std::vector<double> values;
  for (int i = 1; i <= n; ++i) values.push_back(n + 1 - i);  // descending: order must not matter
  return values;
}

const Quantile& at(const Tails& tails, double level) {
  for (const Quantile& quantile : tails.quantiles)
    if (quantile.quantile == level) return quantile;
  return tails.quantiles.front();
}

TEST(Tails, sample_sizes_that_carry_a_quantile) {
  EXPECT_EQ(samples_for_quantile(0.95), 59);
  EXPECT_EQ(samples_for_quantile(0.99), 299);
  EXPECT_EQ(samples_for_quantile(0.999), 2995);
}

TEST(Tails, too_few_samples_say_what_they_need_and_no_number) {
  for (const auto& [level, needs] : {std::pair{0.95, 59}, {0.99, 299}, {0.999, 2995}}) {
    const Tails few = tails_of(ramp(needs - 1));
    EXPECT_FALSE(at(few, level).value || at(few, level).upper) << level;
    EXPECT_EQ(at(few, level).needs, needs);
    const Tails enough = tails_of(ramp(needs));
    ASSERT_TRUE(at(enough, level).value && at(enough, level).upper) << level;
    EXPECT_EQ(*at(enough, level).upper, needs);  // just enough: the bound is the largest sample
  }
  EXPECT_EQ(tails_of({}).n, 0);
  EXPECT_FALSE(at(tails_of({}), 0.5).value);
}

TEST(Tails, quantiles_and_ranks_of_a_ramp) {
  const Tails tails = tails_of(ramp(500));
  EXPECT_EQ(tails.max, 500);
  EXPECT_EQ(*at(tails, 0.5).value, 250);
  EXPECT_EQ(*at(tails, 0.95).value, 475);
  EXPECT_EQ(*at(tails, 0.99).value, 495);
  // p99 of 500: P(Bin(500, 0.99) <= 498) = 0.960, <= 497) = 0.876: the 499th smallest, i.e. the second largest.
  EXPECT_EQ(*at(tails, 0.99).upper, 499);
  EXPECT_LT(*at(tails, 0.99).lower, 495);
  EXPECT_GE(*at(tails, 0.99).lower, 489);
  EXPECT_FALSE(at(tails, 0.999).value);
}

TEST(Tails, bound_covers_the_true_quantile) {
  Rng rng(9);
  int covered = 0, studies = 2000;
  for (int s = 0; s < studies; ++s) {
    std::vector<double> values(400);
    for (double& value : values) value = rng.uniform();
    covered += *at(tails_of(values), 0.95).upper >= 0.95;
  }
  EXPECT_GE(covered / static_cast<double>(studies), 0.94);
  EXPECT_LE(covered / static_cast<double>(studies), 0.98);  // discrete ranks: a little above nominal
}

TEST(Tails, dependent_samples_count_as_fewer) {
  // 100 windows of 10 equal tokens: 1,000 values, 100 facts. p99 needs 299.
  std::vector<double> values;
  std::vector<int64_t> groups;
  Rng rng(4);
  for (int g = 0; g < 100; ++g) {
    const double value = rng.uniform();
    for (int i = 0; i < 10; ++i) {
      values.push_back(value);
      groups.push_back(g);
    }
  }
  const Tails alone = tails_of(values), grouped = tails_of(values, groups);
  EXPECT_EQ(*at(alone, 0.95).value, *at(grouped, 0.95).value);
  EXPECT_GT(*at(grouped, 0.95).upper, *at(alone, 0.95).upper);
  EXPECT_TRUE(at(alone, 0.99).upper);
  EXPECT_FALSE(at(grouped, 0.99).upper);
  EXPECT_LT(grouped.effective_n, 200);
}

TEST(Exceedance, counts_above_the_limit) {
  const Exceedance e = exceedance(ramp(100), {}, 97);
  EXPECT_EQ(e.n, 100);
  EXPECT_EQ(e.x, 3);
  EXPECT_EQ(e.effective_n, 100);
}

}  // namespace
}  // namespace halftone
