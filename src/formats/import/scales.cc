// SPDX-License-Identifier: Apache-2.0
#include "formats/import/scales.h"

#include <algorithm>
#include <cmath>

#include "tensor/dtype.h"

namespace halftone {

std::optional<uint16_t> power_of_two_scale(int exponent, std::span<int8_t> codes) {
  constexpr int kLeast = -24, kMost = 15, kRoom = 3;  // 12 * 2^3 is a code
  if (std::all_of(codes.begin(), codes.end(), [](int8_t code) { return code == 0; })) return f32_to_f16(1.0f);
  const int shift = std::clamp(exponent - kMost, 0, kRoom);
  if (exponent - shift > kMost || exponent < kLeast) return {};
  for (int8_t& code : codes) code = static_cast<int8_t>(code * (1 << shift));
  return f32_to_f16(std::ldexp(1.0f, exponent - shift));
}

void RoundingError::add(float exact, float kept) {
  largest_ = std::max(largest_, std::fabs(static_cast<double>(exact)));
  error_ = std::max(error_, std::fabs(static_cast<double>(kept) - static_cast<double>(exact)));
}

}  // namespace halftone
