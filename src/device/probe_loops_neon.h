// SPDX-License-Identifier: Apache-2.0
// The loops of NEON and its extensions, which differ in what multiplies bytes. Only files of these ISAs include it.
#pragma once

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

// sum = add(sum, left, right) in every chain; left depends on the sum itself, so that nothing is hoisted.
template <class Add>
int64_t int8_loop(int64_t iterations, const Add& add) {
  const int8x16_t right = vdupq_n_s8(-2);
  int32x4_t sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = vdupq_n_s32(i);
  for (int64_t n = 0; n < iterations; ++n) {
    for (auto& sum : sums) sum = add(sum, vreinterpretq_s8_s32(sum), right);
  }
  int64_t result = 0;
  for (const auto& sum : sums) result += vaddvq_s32(sum);
  return result;
}

}  // namespace
}  // namespace halftone
