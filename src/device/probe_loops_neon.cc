// SPDX-License-Identifier: Apache-2.0
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "device/probe_loops.h"

namespace halftone {
namespace {

// Four units of latency 4 need 16. Chains begin differently, or the compiler would find them equal and keep one.
constexpr int kChains = 16;

uint64_t read(const void* data, size_t bytes) {
  const uint8_t* at = static_cast<const uint8_t*>(data);
  uint64x2_t sums[8];
  for (auto& sum : sums) sum = vdupq_n_u64(0);
  for (; bytes >= sizeof sums; bytes -= sizeof sums, at += sizeof sums) {
    for (int i = 0; i < 8; ++i) sums[i] = vaddq_u64(sums[i], vreinterpretq_u64_u8(vld1q_u8(at + 16 * i)));
  }
  uint64_t sum = 0;
  for (; bytes > 0; --bytes, ++at) sum += *at;
  for (const auto& part : sums) sum += vaddvq_u64(part);
  return sum;
}

double f32_fma(int64_t iterations) {
  const float32x4_t factor = vdupq_n_f32(0.5f), one = vdupq_n_f32(1.0f);
  float32x4_t sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = vdupq_n_f32(static_cast<float>(i));
  for (int64_t n = 0; n < iterations; ++n) {
    for (auto& sum : sums) sum = vfmaq_f32(one, sum, factor);
  }
  double result = 0;
  for (const auto& sum : sums) result += static_cast<double>(vaddvq_f32(sum));
  return result;
}

int64_t int8_dot(int64_t iterations) {
  const int8x16_t right = vdupq_n_s8(-2);
  int32x4_t sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = vdupq_n_s32(i);
  for (int64_t n = 0; n < iterations; ++n) {
    for (auto& sum : sums) {
      const int8x16_t left = vreinterpretq_s8_s32(sum);  // depends on itself: never hoisted
#if defined(__ARM_FEATURE_DOTPROD)
      sum = vdotq_s32(sum, left, right);
#else
      const int16x8_t low = vmull_s8(vget_low_s8(left), vget_low_s8(right));
      const int16x8_t high = vmull_high_s8(left, right);
      sum = vpadalq_s16(vpadalq_s16(sum, low), high);
#endif
    }
  }
  int64_t result = 0;
  for (const auto& sum : sums) result += vaddvq_s32(sum);
  return result;
}

}  // namespace

extern const ProbeLoops kProbeLoopsNeon = {read, f32_fma, 2 * 4 * kChains, int8_dot, 2 * 16 * kChains, nullptr, 0};

}  // namespace halftone
