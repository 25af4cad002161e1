// SPDX-License-Identifier: Apache-2.0
#include "generate/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"

namespace halftone {
namespace {

SamplerOptions plain() {
  SamplerOptions options;
  options.temperature = 1;
  options.top_k = 0;
  options.top_p = 1;
  options.min_p = 0;
  options.seed = 7;
  return options;
}

std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

TokenId one(Sampler& sampler, const std::vector<float>& logits, const std::vector<TokenId>& recent = {}) {
  const auto id = sampler.sample(logits, recent);
  EXPECT_TRUE(id.ok()) << id.status().message();
  return id.ok() ? *id : -1;
}

std::vector<int64_t> counts_of(const SamplerOptions& options, const std::vector<float>& logits, int draws,
                               const std::vector<TokenId>& recent = {}) {
  std::vector<int64_t> counts(logits.size());
  Sampler sampler(options);
  for (int i = 0; i < draws; ++i) ++counts[static_cast<size_t>(one(sampler, logits, recent))];
  return counts;
}

// Pearson's statistic; a token of probability 0 must never come.
double chi_square(const std::vector<int64_t>& counts, const std::vector<double>& expected, int draws) {
  double sum = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (expected[i] == 0) {
      EXPECT_EQ(counts[i], 0) << "token " << i;
      continue;
    }
    const double difference = static_cast<double>(counts[i]) - expected[i] * draws;
    sum += difference * difference / (expected[i] * draws);
  }
  return sum;
}

const std::vector<double> kProbabilities = {0.05, 0.30, 0.02, 0.20, 0.10, 0.25, 0.08};
constexpr int kDraws = 40000;
constexpr double kCritical6 = 22.46, kCritical2 = 13.82, kCritical3 = 16.27;  // p = 0.001 at 6, 2, 3 degrees of freedom

TEST(Sampler, FollowsTheModelWithoutFilters) {
  const auto counts = counts_of(plain(), logits_of(kProbabilities), kDraws);
  EXPECT_LT(chi_square(counts, kProbabilities, kDraws), kCritical6);
}

TEST(Sampler, TemperatureRaisesProbabilitiesToItsInverse) {
  auto options = plain();
  options.temperature = 0.5;
  std::vector<double> expected;
  double total = 0;
  for (const double p : kProbabilities) total += p * p;
  for (const double p : kProbabilities) expected.push_back(p * p / total);
  EXPECT_LT(chi_square(counts_of(options, logits_of(kProbabilities), kDraws), expected, kDraws), kCritical6);
}

TEST(Sampler, TopKKeepsTheLargest) {
  auto options = plain();
  options.top_k = 3;
  const std::vector<double> expected = {0, 0.30 / 0.75, 0, 0.20 / 0.75, 0, 0.25 / 0.75, 0};
  EXPECT_LT(chi_square(counts_of(options, logits_of(kProbabilities), kDraws), expected, kDraws), kCritical2);
}

TEST(Sampler, TopPKeepsTheTokenThatCrossesTheLimit) {
  auto options = plain();
  options.top_p = 0.80;  // 0.30 + 0.25 + 0.20 = 0.75, so the 0.10 comes too
  const std::vector<double> expected = {0, 0.30 / 0.85, 0, 0.20 / 0.85, 0.10 / 0.85, 0.25 / 0.85, 0};
  EXPECT_LT(chi_square(counts_of(options, logits_of(kProbabilities), kDraws), expected, kDraws), kCritical3);
}

TEST(Sampler, TopPIsOfWhatTopKLeft) {
  auto options = plain();
  options.top_k = 3;     // 0.30, 0.25, 0.20 of 0.75
  options.top_p = 0.70;  // 0.55 / 0.75 = 0.733 is enough
  const auto counts = counts_of(options, logits_of(kProbabilities), 2000);
  EXPECT_EQ(counts[3], 0);
  EXPECT_GT(counts[5], 0);
}

TEST(Sampler, MinPIsRelativeToTheLikeliest) {
  auto options = plain();
  options.min_p = 0.5;  // at least 0.15
  const std::vector<double> expected = {0, 0.30 / 0.75, 0, 0.20 / 0.75, 0, 0.25 / 0.75, 0};
  EXPECT_LT(chi_square(counts_of(options, logits_of(kProbabilities), kDraws), expected, kDraws), kCritical2);
}

TEST(Sampler, FiltersSeeProbabilitiesBeforeTemperature) {
  auto options = plain();
  options.min_p = 0.5;
  options.temperature = 50;  // would make all tokens nearly equal
  const auto counts = counts_of(options, logits_of(kProbabilities), 2000);
  EXPECT_EQ(counts[0] + counts[2] + counts[4] + counts[6], 0);
  EXPECT_GT(counts[3], 500);
}

TEST(Sampler, TopPSortsLargeVocabulariesAsFarAsNeeded) {
  // 5,000 equal tokens: top-p 0.5 keeps the 2,500 lowest ids.
  auto options = plain();
  options.top_p = 0.5;
  Sampler sampler(options);
  const std::vector<float> logits(5000, 1.5f);
  TokenId highest = 0;
  for (int i = 0; i < 3000; ++i) highest = std::max(highest, one(sampler, logits));
  EXPECT_LT(highest, 2501);
  EXPECT_GT(highest, 2400);
}

TEST(Sampler, RepetitionPenaltyDividesAndMultiplies) {
  auto options = plain();
  options.temperature = 0;
  options.repetition_penalty = 2;
  Sampler sampler(options);
  EXPECT_EQ(one(sampler, {3.0f, 2.0f, 1.0f}, {0}), 1);          // 3 / 2 < 2
  EXPECT_EQ(one(sampler, {3.0f, 2.0f, 1.0f}, {0, 0, 0}), 1);    // each id counts once ...
  EXPECT_EQ(one(sampler, {3.0f, 1.0f, 1.0f}, {0, 0, 0}), 0);    // ... or 3 / 8 would lose here
  EXPECT_EQ(one(sampler, {-1.0f, -1.5f, -3.0f}, {0}), 1);       // -1 * 2 < -1.5
  EXPECT_EQ(one(sampler, {3.0f, 2.0f, 1.0f}, {-1, 99, 0}), 1);  // ids that no logit belongs to are passed over
  options.repetition_window = 2;
  Sampler forgetful(options);
  EXPECT_EQ(one(forgetful, {3.0f, 2.0f, 1.0f}, {0, 2, 2}), 0);
}

TEST(Sampler, GreedyTakesTheLowestIdOfATie) {
  auto options = plain();
  options.temperature = 0;
  Sampler sampler(options);
  EXPECT_EQ(one(sampler, {0.5f, 2.0f, 2.0f, -1.0f}), 1);
}

TEST(Sampler, TheSeedDecidesAndIsReproducible) {
  Rng noise(3);
  std::vector<float> logits(1000);
  for (float& logit : logits) logit = static_cast<float>(noise.normal() * 2);
  auto options = SamplerOptions{};
  const auto run = [&](uint64_t seed) {
    options.seed = seed;
    Sampler sampler(options);
    std::vector<TokenId> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(one(sampler, logits, ids));
    return ids;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(Sampler, MinusInfinityIsNeverDrawnAndNanIsAnError) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto counts = counts_of(plain(), {-kInfinity, 0.0f, -kInfinity, 0.0f}, 500);
  EXPECT_EQ(counts[0] + counts[2], 0);
  Sampler sampler(plain());
  for (const float bad : {kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    const auto result = sampler.sample(std::vector<float>{0.0f, bad}, {});
    ASSERT_FALSE(result.ok());
    EXPECT_NE(result.status().message().find("token 1"), std::string_view::npos) << result.status().message();
  }
  EXPECT_FALSE(sampler.sample(std::vector<float>{-kInfinity}, {}).ok());
  auto greedy_options = plain();
  greedy_options.temperature = 0;
  Sampler greedy(greedy_options);
  EXPECT_EQ(one(greedy, {-kInfinity, -3e38f, -kInfinity}), 1);
  EXPECT_FALSE(greedy.sample(std::vector<float>{0.0f, kInfinity}, {}).ok());
  EXPECT_FALSE(greedy.sample(std::vector<float>{std::numeric_limits<float>::quiet_NaN(), 0.0f}, {}).ok());
  EXPECT_FALSE(greedy.sample({}, {}).ok());
  EXPECT_FALSE(sampler.sample({}, {}).ok());
}

TEST(Sampler, ExtremeLogitsDoNotOverflow) {
  auto options = plain();
  options.temperature = 0.01;
  const auto counts = counts_of(options, {3e38f, -3e38f, 3e38f}, 400);
  EXPECT_EQ(counts[1], 0);
  EXPECT_GT(counts[0], 100);
  EXPECT_GT(counts[2], 100);
}

TEST(SamplerOptions, RangesAreChecked) {
  EXPECT_TRUE(check(SamplerOptions{}).ok());
  const auto refused = [](auto member, auto value) {
    SamplerOptions options;
    options.*member = value;
    return !check(options).ok();
  };
  EXPECT_TRUE(refused(&SamplerOptions::temperature, -0.1));
  EXPECT_TRUE(refused(&SamplerOptions::temperature, std::nan("")));
  EXPECT_TRUE(refused(&SamplerOptions::top_k, -1));
  EXPECT_TRUE(refused(&SamplerOptions::top_p, 0.0));
  EXPECT_TRUE(refused(&SamplerOptions::top_p, 1.1));
  EXPECT_TRUE(refused(&SamplerOptions::min_p, 1.0));
  EXPECT_TRUE(refused(&SamplerOptions::repetition_penalty, 0.0));
  EXPECT_TRUE(refused(&SamplerOptions::repetition_window, -1));
}

}  // namespace
}  // namespace halftone
