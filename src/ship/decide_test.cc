// SPDX-License-Identifier: Apache-2.0
#include "ship/decide.h"

#include <gtest/gtest.h>

namespace halftone {
namespace {

TEST(Decide, TakesTheSmallestThatPasses) {
  const std::vector<Contender> contenders = {{"int8", 300, Fate::pass, ""},
                                             {"int4", 200, Fate::pass, ""},
                                             {"int4-channel", 100, Fate::fail, "loss: 9 points"}};
  const Decision decision = decide(contenders);
  ASSERT_TRUE(decision.winner.has_value());
  EXPECT_EQ(*decision.winner, 1U);
  EXPECT_EQ(decision.verdict, Verdict::pass);
  EXPECT_EQ(decision.reasons[0], "passes, but int4 passes too and is smaller");
  EXPECT_EQ(decision.reasons[1], "the smallest that passes");
  EXPECT_EQ(decision.reasons[2], "loss: 9 points");
}

TEST(Decide, EqualBytesGoToTheEarlier) {
  const std::vector<Contender> contenders = {{"a", 100, Fate::pass, ""}, {"b", 100, Fate::pass, ""}};
  const Decision decision = decide(contenders);
  EXPECT_EQ(*decision.winner, 0U);
  EXPECT_EQ(decision.reasons[1], "passes, but a passes too and is as small");
}

TEST(Decide, WithoutAWinnerDoubtOutweighsFailure) {
  const std::vector<Contender> failed = {{"a", 100, Fate::fail, "x"}, {"b", 50, Fate::over_budget, "y"}};
  EXPECT_EQ(decide(failed).verdict, Verdict::fail);
  EXPECT_FALSE(decide(failed).winner.has_value());
  const std::vector<Contender> unsure = {{"a", 100, Fate::inconclusive, "x"}, {"b", 50, Fate::fail, "y"}};
  EXPECT_EQ(decide(unsure).verdict, Verdict::inconclusive);
  EXPECT_EQ(decide({}).verdict, Verdict::fail);
}

TEST(Decide, AnInconclusiveCandidateNeverWins) {
  const std::vector<Contender> contenders = {{"a", 100, Fate::pass, ""},
                                             {"b", 50, Fate::inconclusive, "needs n of about 900"}};
  EXPECT_EQ(*decide(contenders).winner, 0U);
}

TEST(Decide, NamesTheChecksThatStoodInTheWay) {
  GateResult gate;
  CheckRow pass, fail, doubt;
  pass.check.metric = "kl.mean";
  pass.verdict = Verdict::pass;
  fail.check = {"choice_accuracy.loss", 3, "points", "", "exposure", "rare"};
  fail.verdict = Verdict::fail;
  fail.value = 31.04;
  doubt.check = {"confident_flips", 0.5, "percent", "", "", ""};
  doubt.value = 0.34;
  doubt.high = 0.61;
  doubt.needs_n = 12443;
  doubt.n_unit = "questions";
  gate.checks = {pass, fail, doubt};
  EXPECT_EQ(why_not(gate), "rare loss 31.0 points, limit 3.0 points");
  gate.checks = {pass, doubt};
  EXPECT_EQ(why_not(gate), "confident flips 0.3 % may be 0.6 %, limit 0.5 % (about 12,000 questions would tell)");
  doubt.value.reset();
  gate.checks = {doubt};
  EXPECT_EQ(why_not(gate), "confident flips unknown, limit 0.5 % (about 12,000 questions would tell)");
}

}  // namespace
}  // namespace halftone
