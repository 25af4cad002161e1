// SPDX-License-Identifier: Apache-2.0
#include "metrics/calibration_error.h"

#include <gtest/gtest.h>

namespace halftone {
namespace {

TEST(CalibrationError, IsTheWeightedGapOfBins) {
  EXPECT_EQ(calibration_error({}, {}), 0);
  // Always sure and always right; always sure and half right.
  EXPECT_DOUBLE_EQ(calibration_error(std::vector<double>{1, 1}, {true, true}), 0);
  EXPECT_DOUBLE_EQ(calibration_error(std::vector<double>{1, 1}, {true, false}), 0.5);
  // 0.5 of a bin with 0.5 right: no gap although no single sample fits.
  EXPECT_DOUBLE_EQ(calibration_error(std::vector<double>{0.5, 0.5}, {true, false}), 0);
  // Bins do not make up for each other: +0.3 in one, -0.1 twice in another.
  EXPECT_NEAR(calibration_error(std::vector<double>{0.3, 0.9, 0.9}, {false, true, true}), (0.3 + 0.1 + 0.1) / 3, 1e-12);
  // 1/15 begins the second bin: apart from 0.06, gaps of opposite sign add.
  EXPECT_NEAR(calibration_error(std::vector<double>{0.06, 1.0 / 15 + 1e-9}, {false, true}), (0.06 + 14.0 / 15) / 2,
              1e-8);
}

}  // namespace
}  // namespace halftone
