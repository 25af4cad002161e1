// SPDX-License-Identifier: Apache-2.0
// Factors of channels: 2^(n / 8), told by n. Tables and plain arithmetic alone, so that every machine and every libm
// chooses and applies the same ones; multiples of 8 are powers of two, which round nothing.
#pragma once

#include <cstdint>
#include <vector>

namespace halftone {

using Eighths = std::vector<int16_t>;  // one per channel

inline constexpr int kMostEighths = 8 * 40;

float factor_of(int eighths);  // 2^(eighths / 8), rounded to nearest. REQUIRES: |eighths| <= kMostEighths
// log2 of a positive finite number, to about 1e-12: frexp and a series.
double log2_of(double value);
// log2 rounded to eighths and kept within kMostEighths.
int eighths_of(double log2);

}  // namespace halftone
