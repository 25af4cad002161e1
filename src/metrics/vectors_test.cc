// SPDX-License-Identifier: Apache-2.0
#include "metrics/vectors.h"

#include <gtest/gtest.h>

#include <vector>

namespace halftone {
namespace {

TEST(Cosine, known_angles) {
  const std::vector<float> x = {1, 0}, diagonal = {3, 3}, back = {-2, 0}, zero = {0, 0};
  EXPECT_NEAR(cosine(x, diagonal), 0.70710678, 1e-8);
  EXPECT_EQ(cosine(x, back), -1);
  EXPECT_EQ(cosine(x, zero), 0);
  EXPECT_EQ(cosine(zero, zero), 1);
}

TEST(Recall, at_k) {
  const std::vector<int64_t> ranked = {9, 4, 7, 1}, relevant = {7, 4, 2};
  EXPECT_EQ(recall_at_k(ranked, relevant, 1), 0);
  EXPECT_NEAR(recall_at_k(ranked, relevant, 2), 1.0 / 3, 1e-12);
  EXPECT_NEAR(recall_at_k(ranked, relevant, 100), 2.0 / 3, 1e-12);
}

TEST(Calibration, error_of_an_overconfident_model) {
  const std::vector<double> confidences(10, 0.9);
  const std::vector<uint8_t> correct = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
  EXPECT_NEAR(expected_calibration_error(confidences, correct, 10), 0.3, 1e-12);
  EXPECT_EQ(expected_calibration_error({}, {}, 10), 0);
  EXPECT_NEAR(expected_calibration_error(std::vector<double>{1.0}, std::vector<uint8_t>{1}, 10), 0, 1e-12);
}

}  // namespace
}  // namespace halftone
