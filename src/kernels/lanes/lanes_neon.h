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
inline Lanes load_bytes(const int8_t* at) {
  const int8x16_t bytes = vld1q_s8(at);
  const int16x8_t lo = vmovl_s8(vget_low_s8(bytes)), hi = vmovl_s8(vget_high_s8(bytes));
  return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(lo))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(lo))),
           vcvtq_f32_s32(vmovl_s16(vget_low_s16(hi))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(hi)))}};
}
inline void store(float* at, Lanes x) {
  for (int i = 0; i < 4; ++i) vst1q_f32(at + 4 * i, x.v[i]);
}
inline void store_halves(uint16_t* at, Lanes x) {
  for (int i = 0; i < 4; ++i) vst1_u16(at + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(x.v[i])));
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

inline float32x4_t add(float32x4_t a, float32x4_t b) { return vaddq_f32(a, b); }
inline float32x4_t max(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
template <class Op>
inline float fold(Lanes x, const Op& op) {
  float32x4_t v = op(op(x.v[0], x.v[2]), op(x.v[1], x.v[3]));
  v = op(v, vextq_f32(v, v, 2));
  return vgetq_lane_f32(op(v, vextq_f32(v, v, 1)), 0);
}

// 16 integer sums of products of 8-bit numbers, of 4 dwords by one: with sdot in files compiled for it, else products
// of 16 bits whose pairs are added.
struct Sums {
  int32x4_t v[4];
};
struct Codes {
  int8x16_t v[4];
};
inline Sums no_sums() { return {{vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)}}; }
inline Codes load_codes(const uint8_t* at) {
  Codes out;
  for (int i = 0; i < 4; ++i) out.v[i] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(at + 16 * i), vdupq_n_u8(128)));
  return out;
}
inline Sums dot4(Codes codes, const int8_t* x, Sums sums) {
  int32_t four;
  __builtin_memcpy(&four, x, 4);
  const int8x8_t all = vreinterpret_s8_s32(vdup_n_s32(four));
  Sums out;
  for (int i = 0; i < 4; ++i) {
#if defined(__ARM_FEATURE_DOTPROD)
    out.v[i] = vdotq_lane_s32(sums.v[i], codes.v[i], all, 0);
#else
    const int16x8_t low = vmull_s8(vget_low_s8(codes.v[i]), all), high = vmull_s8(vget_high_s8(codes.v[i]), all);
    out.v[i] = vaddq_s32(sums.v[i], vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
  }
  return out;
}
inline Lanes without_offset(Sums sums, int32_t) {
  Lanes out;
  for (int i = 0; i < 4; ++i) out.v[i] = vcvtq_f32_s32(sums.v[i]);
  return out;
}

}  // namespace
}  // namespace halftone
