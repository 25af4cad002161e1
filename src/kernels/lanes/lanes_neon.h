// SPDX-License-Identifier: Apache-2.0
// 16 lanes of f32 in four NEON registers. The same operations, bit for bit, as lanes_scalar.h. Only files of this ISA
// include it.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace halftone {
namespace {

constexpr int kLanesInRegisters = 8;
struct Lanes {
  float32x4_t v[4];
};

inline Lanes set(float value) {
  const float32x4_t all = vdupq_n_f32(value);
  return {{all, all, all, all}};
}
inline Lanes load(const float* at) {
  return {{vld1q_f32(at), vld1q_f32(at + 4), vld1q_f32(at + 8), vld1q_f32(at + 12)}};
}
inline Lanes load_some(const float* at, int n) {
  if (n >= 16) return load(at);
  float all[16] = {};
  __builtin_memcpy(all, at, static_cast<unsigned long>(n) * 4);
  return load(all);
}
inline Lanes load_halves(const uint16_t* at) {
  const float16x8_t lo = vreinterpretq_f16_u16(vld1q_u16(at)), hi = vreinterpretq_f16_u16(vld1q_u16(at + 8));
  return {
      {vcvt_f32_f16(vget_low_f16(lo)), vcvt_high_f32_f16(lo), vcvt_f32_f16(vget_low_f16(hi)), vcvt_high_f32_f16(hi)}};
}
inline Lanes load_halves_some(const uint16_t* at, int n) {
  uint16_t all[16] = {};
  __builtin_memcpy(all, at, static_cast<unsigned long>(n > 16 ? 16 : n) * 2);
  return load_halves(all);
}
inline void store(float* at, Lanes x) {
  for (int i = 0; i < 4; ++i) vst1q_f32(at + 4 * i, x.v[i]);
}
inline void store_some(float* at, Lanes x, int n) {
  if (n >= 16) return store(at, x);
  float all[16];
  store(all, x);
  __builtin_memcpy(at, all, static_cast<unsigned long>(n) * 4);
}

#define HALFTONE_EACH(expression)                    \
  Lanes out;                                         \
  for (int i = 0; i < 4; ++i) out.v[i] = expression; \
  return out
inline Lanes fma(Lanes a, Lanes b, Lanes c) { HALFTONE_EACH(vfmaq_f32(c.v[i], a.v[i], b.v[i])); }
inline Lanes add(Lanes a, Lanes b) { HALFTONE_EACH(vaddq_f32(a.v[i], b.v[i])); }
inline Lanes sub(Lanes a, Lanes b) { HALFTONE_EACH(vsubq_f32(a.v[i], b.v[i])); }
inline Lanes mul(Lanes a, Lanes b) { HALFTONE_EACH(vmulq_f32(a.v[i], b.v[i])); }
inline Lanes div(Lanes a, Lanes b) { HALFTONE_EACH(vdivq_f32(a.v[i], b.v[i])); }
// Not vmaxq: it would keep a NaN that the other ISAs drop.
inline Lanes max(Lanes a, Lanes b) { HALFTONE_EACH(vbslq_f32(vcgtq_f32(a.v[i], b.v[i]), a.v[i], b.v[i])); }
inline Lanes choose_if_less(Lanes a, Lanes b, Lanes yes, Lanes no) {
  HALFTONE_EACH(vbslq_f32(vcltq_f32(a.v[i], b.v[i]), yes.v[i], no.v[i]));
}
inline Lanes keep_nan(Lanes x, Lanes otherwise) {
  HALFTONE_EACH(vbslq_f32(vceqq_f32(x.v[i], x.v[i]), otherwise.v[i], x.v[i]));
}
// x * 2^n, where the low bits of `power` hold n.
inline Lanes scale_by_power(Lanes x, Lanes power) {
  HALFTONE_EACH(vreinterpretq_f32_s32(
      vaddq_s32(vreinterpretq_s32_f32(x.v[i]), vshlq_n_s32(vreinterpretq_s32_f32(power.v[i]), 23))));
}
#undef HALFTONE_EACH

// Lanes [begin, end) of x, `other` elsewhere.
inline Lanes keep(Lanes x, int begin, int end, float other) {
  static const int32_t kIndex[4] = {0, 1, 2, 3};
  Lanes out;
  for (int i = 0; i < 4; ++i) {
    const int32x4_t index = vaddq_s32(vld1q_s32(kIndex), vdupq_n_s32(4 * i));
    const uint32x4_t inside = vandq_u32(vcgeq_s32(index, vdupq_n_s32(begin)), vcltq_s32(index, vdupq_n_s32(end)));
    out.v[i] = vbslq_f32(inside, x.v[i], vdupq_n_f32(other));
  }
  return out;
}

}  // namespace
}  // namespace halftone
