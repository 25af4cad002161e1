// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

namespace halftone {

struct PlainLine {
  float scale, base;
};

// MLX's rule for a group between low and high with codes 0 .. most: the end of larger magnitude is exact, and a whole
// number of steps from zero, so that zero has a code where it lies within.
inline PlainLine plain_affine_line(float low, float high, float most) {
  constexpr float kLeastStep = 1e-7f;
  const bool from_low = std::fabs(low) > std::fabs(high);
  float scale = std::max((high - low) / most, kLeastStep);
  if (!from_low) scale = -scale;
  const float edge = from_low ? low : high, steps = std::nearbyint(edge / scale);
  return steps == 0 ? PlainLine{scale, 0} : PlainLine{edge / steps, edge};
}

}  // namespace halftone
