// SPDX-License-Identifier: Apache-2.0
#include "quantize/transform/eighths.h"

#include <gtest/gtest.h>

#include <cmath>

namespace halftone {
namespace {

TEST(EighthsOfTwo, FactorsAndTheirLogarithms) {
  for (int n = -kMostEighths; n <= kMostEighths; ++n) {
    EXPECT_EQ(factor_of(n), static_cast<float>(std::exp2(n / 8.0))) << n;
    EXPECT_EQ(eighths_of(log2_of(static_cast<double>(factor_of(n)))), n);
    if (n % 8 == 0) {
      EXPECT_EQ(factor_of(n) * factor_of(-n), 1.0f);
    }
  }
  for (double value = 1e-30; value < 1e30; value *= 1.37) EXPECT_NEAR(log2_of(value), std::log2(value), 2e-12);
  EXPECT_EQ(eighths_of(1e9), kMostEighths);
  EXPECT_EQ(eighths_of(-1e9), -kMostEighths);
  EXPECT_EQ(eighths_of(0.0626), 1);
  EXPECT_EQ(eighths_of(0.0624), 0);
}

}  // namespace
}  // namespace halftone
