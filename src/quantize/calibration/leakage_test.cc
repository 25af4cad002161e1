// SPDX-License-Identifier: Apache-2.0
#include "quantize/calibration/leakage.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"

namespace halftone {
namespace {

Sequences cut_sequences(std::vector<int32_t> tokens, std::vector<int64_t> begins = {0}) {
  return {std::move(tokens), std::move(begins)};
}

std::vector<int32_t> random_tokens(int64_t count, uint64_t below, uint64_t seed) {
  Rng rng(seed);
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i) tokens.push_back(static_cast<int32_t>(rng.below(below)));
  return tokens;
}

// Every run of one against every run of the other.
Leakage plain_leakage(const Sequences& a, const Sequences& b, int64_t run) {
  std::set<int64_t> in_a, in_b;
  for (int64_t s = 0; s < a.count(); ++s) {
    for (int64_t i = a.begin(s); i + run <= a.end(s); ++i) {
      for (int64_t r = 0; r < b.count(); ++r) {
        for (int64_t j = b.begin(r); j + run <= b.end(r); ++j) {
          if (!std::equal(a.tokens.begin() + i, a.tokens.begin() + i + run, b.tokens.begin() + j)) continue;
          for (int64_t k = 0; k < run; ++k) {
            in_a.insert(i + k);
            in_b.insert(j + k);
          }
        }
      }
    }
  }
  Leakage found;
  found.shared_calibration = static_cast<int64_t>(in_a.size());
  found.shared_evaluation = static_cast<int64_t>(in_b.size());
  return found;
}

TEST(Leakage, IsThatOfEveryRunAgainstEveryRun) {
  int64_t seen = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const int64_t run = 2 + static_cast<int64_t>(seed % 5);
    const Sequences a = cut_sequences(random_tokens(60, 3 + seed % 4, seed), {0, 13, 15, 40});
    const Sequences b = cut_sequences(random_tokens(50, 3 + seed % 4, seed + 100), {0, 31});
    const Leakage got = find_leakage(a, b, run), expected = plain_leakage(a, b, run);
    EXPECT_EQ(got.shared_calibration, expected.shared_calibration) << seed;
    EXPECT_EQ(got.shared_evaluation, expected.shared_evaluation) << seed;
    seen += got.shared_calibration;
  }
  EXPECT_GT(seen, 100);
}

TEST(Leakage, FindsARunOf32AndSaysWhere) {
  std::vector<int32_t> a = random_tokens(500, 4000, 1), b = random_tokens(900, 4000, 2);
  std::copy_n(a.begin() + 100, 40, b.begin() + 700);
  const Leakage found = find_leakage(cut_sequences(a, {0, 490}), cut_sequences(b));
  EXPECT_EQ(found.shared_calibration, 40);
  EXPECT_EQ(found.shared_evaluation, 40);
  EXPECT_EQ(found.calibration_token, 100);
  EXPECT_EQ(found.evaluation_token, 700);
  EXPECT_EQ(found.unseen, 10);
  EXPECT_DOUBLE_EQ(found.fraction(), 0.08);
  const Status refused = refuse_leakage(found, "c.txt", "e.txt");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.message().find("40 of 500 tokens (8.00 %) in runs of 32"), std::string_view::npos);
  b[720] = -1;  // 31 tokens on neither side
  EXPECT_TRUE(refuse_leakage(find_leakage(cut_sequences(a), cut_sequences(b)), "c.txt", "e.txt").ok());
}

}  // namespace
}  // namespace halftone
