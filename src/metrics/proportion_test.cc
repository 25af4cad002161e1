// SPDX-License-Identifier: Apache-2.0
#include "metrics/proportion.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "metrics/special.h"

namespace halftone {
namespace {

TEST(ClopperPearson, matches_tables) {
  const Interval ten = clopper_pearson(10, 20, 0.95);  // R: binom.test(10, 20): 0.2719578 0.7280422
  EXPECT_NEAR(ten.low, 0.27195785, 1e-8);
  EXPECT_NEAR(ten.high, 0.72804215, 1e-8);
  const Interval questions = clopper_pearson(92, 180, 0.95);
  EXPECT_NEAR(questions.low, 0.4356549267, 1e-9);
  EXPECT_NEAR(questions.high, 0.5861953738, 1e-9);
  EXPECT_NEAR(clopper_pearson_upper(1, 50, 0.95), 0.09139813072, 1e-10);
}

TEST(ClopperPearson, no_event_gives_the_rule_of_three_in_its_exact_form) {
  EXPECT_NEAR(clopper_pearson_upper(0, 50, 0.95), 1 - std::pow(0.05, 1.0 / 50), 1e-12);
  EXPECT_NEAR(clopper_pearson_upper(0, 50, 0.95), 0.0582, 5e-5);  // 5.8 points: zero changes in 50 is not "no loss"
  EXPECT_NEAR(clopper_pearson_upper(0, 4000, 0.95) * 4000, 2.9946, 1e-3);
  EXPECT_EQ(clopper_pearson_lower(0, 50, 0.95), 0);
  EXPECT_EQ(clopper_pearson_upper(50, 50, 0.95), 1);
  EXPECT_NEAR(clopper_pearson_lower(50, 50, 0.95), std::pow(0.05, 1.0 / 50), 1e-12);
}

TEST(ClopperPearson, never_undercovers) {
  for (const int n : {5, 50}) {
    for (const double p : {0.01, 0.1, 0.37}) {
      double covered = 0;
      for (int x = 0; x <= n; ++x)
        if (clopper_pearson_upper(x, n, 0.95) >= p)
          covered += binomial_at_most(x, n, p) - binomial_at_most(x - 1, n, p);
      EXPECT_GE(covered, 0.95 - 1e-12) << n << " " << p;
    }
  }
}

TEST(Wilson, matches_known_values) {
  const Interval none = wilson(0, 10, 0.95);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 0.2775328, 1e-6);
  // 92 and 91 of 180: one question apart, 43.9-58.3 and 43.3-57.8 per cent.
  EXPECT_NEAR(wilson(92, 180, 0.95).low, 0.439, 5e-4);
  EXPECT_NEAR(wilson(92, 180, 0.95).high, 0.583, 5e-4);
  EXPECT_NEAR(wilson(91, 180, 0.95).low, 0.433, 5e-4);
  EXPECT_NEAR(wilson(91, 180, 0.95).high, 0.578, 5e-4);
}

TEST(GroupedProportion, single_samples_are_all_worth_one) {
  const std::vector<GroupSum> singles = {{1, 0}, {1, 1}, {1, 0}, {1, 0}};
  const GroupedProportion p = grouped_proportion(singles);
  EXPECT_EQ(p.n, 4);
  EXPECT_EQ(p.x, 1);
  EXPECT_EQ(p.effective_n, 4);
}

TEST(GroupedProportion, copies_of_one_sample_are_worth_one) {
  // 200 groups of 10 identical answers: 2,000 samples, 200 facts.
  std::vector<GroupSum> groups;
  for (int g = 0; g < 200; ++g) groups.push_back({10, g % 4 == 0 ? 10.0 : 0.0});
  const GroupedProportion p = grouped_proportion(groups);
  EXPECT_EQ(p.n, 2000);
  EXPECT_EQ(p.x, 500);
  EXPECT_NEAR(p.effective_n, 200, 6);
  EXPECT_NEAR(p.effective_x() / p.effective_n, 0.25, 1e-12);
}

TEST(GroupedProportion, independent_samples_in_groups_keep_their_worth) {
  Rng rng(3);
  std::vector<GroupSum> groups(400);
  for (GroupSum& group : groups) {
    group.count = 10;
    for (int i = 0; i < 10; ++i) group.sum += rng.uniform() < 0.2 ? 1 : 0;
  }
  const GroupedProportion p = grouped_proportion(groups);
  EXPECT_GT(p.effective_n, 3000);
  EXPECT_LE(p.effective_n, 4000);
}

TEST(GroupedProportion, without_events_each_group_counts_once) {
  const std::vector<GroupSum> groups(30, GroupSum{512, 0});
  EXPECT_EQ(grouped_proportion(groups).effective_n, 30);
  EXPECT_EQ(grouped_proportion({}).effective_n, 0);
  EXPECT_EQ(grouped_proportion(std::vector<GroupSum>{{512, 3}}).effective_n, 1);
}

TEST(GroupedProportion, few_events_borrow_the_design_effect_of_a_commoner_one) {
  std::vector<GroupSum> groups(100, GroupSum{10, 0});
  EXPECT_NEAR(grouped_proportion(groups, 2).effective_n, 500, 15);  // no event: not 100
  groups[3].sum = 1;
  EXPECT_NEAR(grouped_proportion(groups).effective_n, 1000, 30);  // one event alone looks independent
  EXPECT_NEAR(grouped_proportion(groups, 2).effective_n, 500, 15);
  groups[4].sum = groups[5].sum = 10;  // many events speak for themselves
  EXPECT_LT(grouped_proportion(groups, 2).effective_n, 150);
}

}  // namespace
}  // namespace halftone
