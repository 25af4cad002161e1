// SPDX-License-Identifier: Apache-2.0
#include "tensor/static_range.h"

#include <cmath>

namespace halftone {

bool StaticRange::makes_sense() const { return (bits == 8 || bits == 16) && scale > 0 && std::isnormal(scale); }

void round_to_range(const float* x, int64_t count, const StaticRange& range, float* out) {
  // Adding 1.5 * 2^23 leaves no bit below one: it rounds as nearbyint does, and every compiler vectorizes it.
  constexpr float kRounder = 12582912.0f;
  const float scale = range.scale, largest = range.largest();
  for (int64_t i = 0; i < count; ++i) {
    const float ratio = x[i] / scale, low = ratio < -largest ? -largest : ratio, code = low > largest ? largest : low;
    out[i] = ((code + kRounder) - kRounder) * scale + (x[i] - x[i]);  // the last term: 0, or NaN of what is not finite
  }
}

}  // namespace halftone
