// SPDX-License-Identifier: Apache-2.0
#include "formats/import/scales.h"

#include <algorithm>
#include <cmath>

#include "tensor/dtype.h"

namespace halftone {

std::optional<uint16_t> power_of_two_scale(int exponent, std::span<const int8_t> codes) {
  constexpr int kLeast = -24, kMost = 15;
  if (std::all_of(codes.begin(), codes.end(), [](int8_t code) { return code == 0; })) return f32_to_f16(1.0f);
  if (exponent > kMost || exponent < kLeast) return {};
  return f32_to_f16(std::ldexp(1.0f, exponent));
}

void RoundingError::add(float exact, float kept) {
  largest_ = std::max(largest_, std::fabs(static_cast<double>(exact)));
  error_ = std::max(error_, std::fabs(static_cast<double>(kept) - static_cast<double>(exact)));
}

}  // namespace halftone
