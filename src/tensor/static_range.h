// SPDX-License-Identifier: Apache-2.0
// What enters a matrix, as integers of a step that was fixed when the model was converted: NPUs and DSPs compute so.
#pragma once

#include <cstdint>

namespace halftone {

// Symmetric: x stands as clamp(round(x / scale), -largest, largest).
struct StaticRange {
  int32_t bits = 0;  // 8 or 16; 0: there is none
  float scale = 0;   // one step

  bool operator==(const StaticRange&) const = default;
  bool exists() const { return bits != 0; }
  bool makes_sense() const;  // 8 or 16 bits, and a scale above zero that is a normal float
  float largest() const { return static_cast<float>((int32_t{1} << (bits - 1)) - 1); }
  // Beyond it a value is cut, and not only rounded.
  float border() const { return scale * (largest() + 0.5f); }
};

// out = clamp(round(x / scale), -largest, largest) * scale, to nearest even, in f32; of an infinity or NaN, NaN, so
// that results show it. REQUIRES: range.makes_sense()
void round_to_range(const float* x, int64_t count, const StaticRange& range, float* out);

}  // namespace halftone
