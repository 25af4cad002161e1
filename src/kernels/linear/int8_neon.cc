// SPDX-License-Identifier: Apache-2.0
// int8 contract on base NEON (no dot product instructions): registers of 16 rows, one per column, are multiplied by one
// activation and added in 16 bits: 32 columns of up to 4 bits (15 * 127 * 32), 4 of 6 (63 * 127 * 4) and 2 of 8 fit,
// these as code - 128 (128 * 127 * 2).
#include <arm_neon.h>

#include "kernels/linear/bytes_neon.h"
#include "kernels/linear/linear_args.h"
#include "kernels/linear/packed_panel.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

inline float32x4_t load_halves(const std::byte* at) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vreinterpret_u16_u8(vld1_u8(bytes_at(at)))));
}

// What add_columns takes from each code.
template <int kBits>
constexpr int kTaken = kBits == 8 ? 128 : 0;

// 16-bit sums of 16 rows.
struct Sums16 {
  int16x8_t low = vdupq_n_s16(0), high = vdupq_n_s16(0);
  void add(int8x16_t q, int8_t x) {
    low = vmlal_s8(low, vget_low_s8(q), vdup_n_s8(x));
    high = vmlal_s8(high, vget_high_s8(q), vdup_n_s8(x));
  }
  void flush(int32x4_t (&isum)[4]) {
    isum[0] = vaddw_s16(isum[0], vget_low_s16(low));
    isum[1] = vaddw_s16(isum[1], vget_high_s16(low));
    isum[2] = vaddw_s16(isum[2], vget_low_s16(high));
    isum[3] = vaddw_s16(isum[3], vget_high_s16(high));
    low = high = vdupq_n_s16(0);
  }
};

// isum += (code - kTaken) * x over up to 32 columns of 16 rows.
template <int kBits>
inline void add_columns(const std::byte* codes, const int8_t* x, int64_t columns, int32x4_t (&isum)[4]) {
  constexpr int kTogether = kBits == 8 ? 2 : kBits == 6 ? 4 : 32;  // products that fit 16 bits
  Sums16 sums;
  for (int64_t k = 0; k < columns; k += 4 * Codes<kBits>::kQuads, codes += 64 * Codes<kBits>::kVectors) {
    int added = 0;
    for_each_column<kBits>(codes, [&](int column, uint8x16_t code) {
      sums.add(vreinterpretq_s8_u8(vsubq_u8(code, vdupq_n_u8(kTaken<kBits>))), x[k + column]);
      if (kTogether < 32 && ++added % kTogether == 0) sums.flush(isum);
    });
  }
  if (kTogether == 32) sums.flush(isum);
}

template <class Panel>
inline void one_panel(const LinearArgs& args, int64_t panel, int64_t token) {
  constexpr int kLeft = kTaken<Panel::kBits> - Panel::kOffset;
  const int64_t padded = Panel::padded(args.columns);
  const std::byte* scales = args.weights + panel * Panel::bytes(args.columns);
  const std::byte* codes = scales + Panel::head(args.columns);
  const int8_t* x = args.q.codes + token * args.q.code_stride;
  const int32_t* sums = args.q.sums + token * args.q.sum_stride;
  const float* x_scales = args.q.scales + token * args.q.scale_stride;
  float32x4_t acc[4];
  unroll<4>([&](auto i) { acc[i] = vdupq_n_f32(0); });
  for (int64_t block = 0; block < args.columns; block += kActivationBlock) {
    const int64_t block_end = block + kActivationBlock < padded ? block + kActivationBlock : padded;
    float32x4_t s[4];
    int32x4_t isum[4];
    int32_t xsum = 0;
    unroll<4>([&](auto i) {
      s[i] = vdupq_n_f32(0);
      isum[i] = vdupq_n_s32(0);
    });
    for (int64_t k = block; k < block_end; k += kActivationGroup) {
      const int64_t next = k + kActivationGroup < block_end ? k + kActivationGroup : block_end;
      add_columns<Panel::kBits>(codes + k * Panel::kColumnBytes, x + k, next - k, isum);
      xsum += sums[k / kActivationGroup];
      if (next < block_end && !at_group<Panel>(next)) continue;
      unroll<4>([&](auto i) { isum[i] = vaddq_s32(isum[i], vdupq_n_s32(kLeft * xsum)); });
      if (!Panel::kBlock) continue;
      const std::byte* group = scales + Panel::scale_at(k);
      unroll<4>([&](auto i) {
        s[i] = vfmaq_f32(s[i], vcvtq_f32_s32(isum[i]), load_halves(group + 8 * i));
        if (Panel::kAffine) s[i] = vfmaq_n_f32(s[i], load_halves(group + 32 + 8 * i), static_cast<float>(xsum));
        isum[i] = vdupq_n_s32(0);
      });
      xsum = 0;
    }
    unroll<4>([&](auto i) {
      acc[i] = vfmaq_n_f32(acc[i], Panel::kBlock ? s[i] : vcvtq_f32_s32(isum[i]), x_scales[block / kActivationBlock]);
    });
  }
  alignas(16) float result[16];
  unroll<4>([&](auto i) {
    vst1q_f32(result + 4 * i, Panel::kBlock ? acc[i] : vmulq_f32(acc[i], load_halves(scales + 8 * i)));
  });
  const int64_t left = args.rows - panel * 16, rows = left < 16 ? left : 16;
  __builtin_memcpy(args.y + token * args.y_stride + panel * 16, result, static_cast<size_t>(rows) * 4);
}

template <class Panel>
inline void linear(const LinearArgs& args) {
  for (int64_t panel = args.panel_begin; panel < args.panel_end; ++panel) {
    for (int64_t token = 0; token < args.tokens; ++token) one_panel<Panel>(args, panel, token);
  }
}

}  // namespace

#define LINEAR_INT8(with, name, bits, group, kind)                 \
  void linear_##name##_panel16_int8_neon(const LinearArgs& args) { \
    linear<PackedPanel<bits, group, CodeKind::kind>>(args);        \
  }
HALFTONE_INTEGER_LAYOUTS(LINEAR_INT8, )

}  // namespace halftone
