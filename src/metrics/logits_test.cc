// SPDX-License-Identifier: Apache-2.0
#include "metrics/logits.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"

namespace halftone {
namespace {

std::vector<float> random_row(Rng& rng, int size, double scale) {
  std::vector<float> row(size);
  for (float& logit : row) logit = static_cast<float>(scale * rng.normal());
  return row;
}

// Textbook formula in long double, nothing shared with the code under test.
long double direct_kl(const std::vector<float>& r, const std::vector<float>& c) {
  long double zr = 0, zc = 0, kl = 0;
  for (const float x : r) zr += std::exp(static_cast<long double>(x));
  for (const float x : c) zc += std::exp(static_cast<long double>(x));
  for (size_t i = 0; i < r.size(); ++i) {
    const long double p = std::exp(static_cast<long double>(r[i])) / zr,
                      q = std::exp(static_cast<long double>(c[i])) / zc;
    kl += p * (std::log(p) - std::log(q));
  }
  return kl;
}

TEST(CompareRows, matches_the_textbook_formula) {
  Rng rng(1);
  for (const int size : {1, 2, 7, 8, 9, 33, 4096}) {
    for (const double scale : {0.01, 1.0, 8.0}) {
      const std::vector<float> r = random_row(rng, size, scale);
      std::vector<float> c = r;
      for (float& logit : c) logit += static_cast<float>(0.1 * rng.normal());
      const int target = static_cast<int>(rng.below(size));
      const RowDivergence d = compare_rows(r, c, target);
      EXPECT_NEAR(d.kl, static_cast<double>(direct_kl(r, c)), 1e-13 + 1e-12 * d.kl) << size << " " << scale;
      EXPECT_EQ(d.reference.log_probability, score_row(r, target).log_probability);
      EXPECT_EQ(d.candidate.log_probability, score_row(c, target).log_probability);
      EXPECT_GE(d.kl, 0);
    }
  }
}

TEST(CompareRows, known_cases) {
  const std::vector<float> even = {0, 0}, biased = {static_cast<float>(std::log(3.0)), 0};
  // KL((1/2, 1/2) || (3/4, 1/4)) = ln(4/3) / 2 ... = 0.143841 nats
  EXPECT_NEAR(compare_rows(even, biased, 0).kl, 0.5 * std::log(4.0 / 3), 1e-7);
  EXPECT_NEAR(score_row(biased, 0).log_probability, std::log(0.75), 1e-7);
  EXPECT_EQ(compare_rows(biased, biased, 1).kl, 0);
  EXPECT_EQ(score_row(even, 1).top, 0);  // the lowest of equals
}

TEST(CompareRows, adding_a_constant_changes_nothing_and_large_logits_do_not_overflow) {
  const std::vector<float> r = {1, 2, 3, 4}, shifted = {1001, 1002, 1003, 1004};
  EXPECT_NEAR(compare_rows(r, shifted, 2).kl, 0, 1e-12);
  const std::vector<float> far = {-1e30f, 0, 1e4f, 3e3f};
  EXPECT_TRUE(compare_rows(far, far, 0).reference.finite);
  EXPECT_EQ(compare_rows(far, far, 0).kl, 0);
}

TEST(CompareRows, poisoned_rows_are_reported_not_scored) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const float poison : {nan, infinity, -infinity}) {
    for (const int at : {0, 5, 16}) {
      std::vector<float> row(17, 0.5f);
      row[at] = poison;
      const std::vector<float> good(17, 0.5f);
      EXPECT_FALSE(score_row(row, 1).finite) << poison << " at " << at;
      EXPECT_FALSE(compare_rows(good, row, 1).candidate.finite);
      EXPECT_TRUE(compare_rows(good, row, 1).reference.finite);
      EXPECT_EQ(compare_rows(good, row, 1).kl, 0);
    }
  }
}

TEST(TopK, agreement) {
  const std::vector<float> a = {5, 4, 3, 2, 1}, b = {1, 4, 5, 2, 3};
  EXPECT_EQ(top_k_agreement(a, b, 1), 0);
  EXPECT_EQ(top_k_agreement(a, b, 2), 0.5);
  EXPECT_NEAR(top_k_agreement(a, b, 3), 2.0 / 3, 1e-12);
  EXPECT_EQ(top_k_agreement(a, b, 50), 1);
}

TEST(Softmax, probabilities_of_far_apart_likelihoods) {
  const std::vector<double> p = softmax(std::vector<double>{-1000, -1000 + std::log(3.0)});
  EXPECT_NEAR(p[0], 0.25, 1e-12);
  EXPECT_NEAR(p[1], 0.75, 1e-12);
  EXPECT_TRUE(softmax({}).empty());
  EXPECT_EQ(argmax(std::vector<double>{1, 3, 3}), 1);
}

}  // namespace
}  // namespace halftone
