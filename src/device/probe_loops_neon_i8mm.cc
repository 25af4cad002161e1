// SPDX-License-Identifier: Apache-2.0
#include "device/probe_loops_neon.h"

namespace halftone {
namespace {

// Products of 2 rows of 8 bytes with 2 others: 32 multiply-adds each.
int64_t int8_dot(int64_t iterations) {
  return int8_loop(iterations,
                   [](int32x4_t sum, int8x16_t left, int8x16_t right) { return vmmlaq_s32(sum, left, right); });
}

}  // namespace

extern const ProbeLoops kProbeLoopsNeonI8mm = {read, f32_fma, 2 * 4 * kChains, int8_dot, 2 * 32 * kChains, nullptr, 0};

}  // namespace halftone
