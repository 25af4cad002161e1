// SPDX-License-Identifier: Apache-2.0
// Scales and bases of 4 rows (a quarter of a panel) on NEON. Only files of this ISA include it.
#pragma once

#include "kernels/linear/bytes_neon.h"
#include "kernels/linear/packed_panel.h"

namespace halftone {
namespace {

inline float32x4_t load_halves(const std::byte* at) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vreinterpret_u16_u8(vld1_u8(bytes_at(at)))));
}

// 4 bytes as numbers.
template <bool kSigned>
inline float32x4_t load_bytes(const std::byte* at) {
  uint32_t four;
  __builtin_memcpy(&four, at, 4);
  const uint8x8_t bytes = vreinterpret_u8_u32(vdup_n_u32(four));
  if (kSigned) return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(bytes)))));
  return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes))));
}

// Of the group that column k is in; both products are exact (tensor/layout.h).
template <class Panel>
inline float32x4_t load_scale(const std::byte* panel, int64_t k, int64_t quarter) {
  const float32x4_t scale = load_halves(panel + Panel::scale_at(k) + 8 * quarter);
  if (!Panel::kNested) return scale;
  return vmulq_f32(scale, load_bytes<!Panel::kAffine>(panel + Panel::sub_scale_at(k) + 4 * quarter));
}
template <class Panel>  // REQUIRES: affine
inline float32x4_t load_base(const std::byte* panel, int64_t k, int64_t quarter) {
  const float32x4_t base = load_halves(panel + Panel::scale_at(k) + 32 + 8 * quarter);
  if (!Panel::kNested) return base;
  return vnegq_f32(vmulq_f32(base, load_bytes<false>(panel + Panel::sub_scale_at(k) + 16 + 4 * quarter)));
}

}  // namespace
}  // namespace halftone
