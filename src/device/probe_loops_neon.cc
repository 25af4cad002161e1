// SPDX-License-Identifier: Apache-2.0
#include "device/probe_loops_neon.h"

namespace halftone {
namespace {

int64_t int8_dot(int64_t iterations) {
  return int8_loop(iterations, [](int32x4_t sum, int8x16_t left, int8x16_t right) {
    const int16x8_t low = vmull_s8(vget_low_s8(left), vget_low_s8(right));
    return vpadalq_s16(vpadalq_s16(sum, low), vmull_high_s8(left, right));
  });
}

}  // namespace

extern const ProbeLoops kProbeLoopsNeon = {read, f32_fma, 2 * 4 * kChains, int8_dot, 2 * 16 * kChains, nullptr, 0};

}  // namespace halftone
