// SPDX-License-Identifier: Apache-2.0
#include "quantize/transform/eighths.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace halftone {

float factor_of(int eighths) {
  constexpr double kRoots[] = {1,
                               1.0905077326652576592,
                               1.1892071150027210667,
                               1.2968395546510096659,
                               1.4142135623730950488,
                               1.5422108254079408236,
                               1.6817928305074290861,
                               1.8340080864093424635};
  HALFTONE_CHECK(std::abs(eighths) <= kMostEighths);
  const int whole = (eighths + kMostEighths) / 8 - kMostEighths / 8;
  return static_cast<float>(std::ldexp(kRoots[eighths - 8 * whole], whole));
}

// log2(m 2^e) = e + 2 / ln 2 * atanh((m - 1) / (m + 1)), m between sqrt(1/2) and sqrt(2).
double log2_of(double value) {
  constexpr double kTwoOverLn2 = 2.8853900817779268147, kRootHalf = 0.70710678118654752440;
  int exponent = 0;
  double mantissa = std::frexp(value, &exponent);
  if (mantissa < kRootHalf) {
    mantissa *= 2;
    --exponent;
  }
  const double z = (mantissa - 1) / (mantissa + 1), square = z * z;
  double sum = 0;
  for (int term = 21; term >= 1; term -= 2) sum = sum * square + 1.0 / term;
  return exponent + kTwoOverLn2 * z * sum;
}

int eighths_of(double log2) {
  const double bounded = std::clamp(log2 * 8, -1.0 * kMostEighths, 1.0 * kMostEighths);
  return static_cast<int>(std::floor(bounded + 0.5));
}

}  // namespace halftone
