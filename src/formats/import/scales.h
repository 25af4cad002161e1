// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace halftone {

// f16 bits of 2^exponent as the scale of `codes`; zeros take any scale. Empty: f16 cannot hold it.
std::optional<uint16_t> power_of_two_scale(int exponent, std::span<const int8_t> codes);

// A number that was rounded, against the largest of its group.
class RoundingError {
 public:
  void add(float exact, float kept);
  double relative() const { return largest_ > 0 ? error_ / largest_ : 0; }

 private:
  double largest_ = 0, error_ = 0;
};

}  // namespace halftone
