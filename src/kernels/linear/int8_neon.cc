// SPDX-License-Identifier: Apache-2.0
// int8 contract on base NEON (no dot product instructions): vld4 takes dwords of 4 columns apart into registers of 16
// rows, one per column, which are multiplied by one activation and added in 16 bits. 8 * 127 * 32 columns (4 bits) and
// 128 * 127 * 2 (8 bits) fit.
#include <arm_neon.h>

#include "kernels/linear/linear_args.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

inline const uint8_t* bytes_at(const std::byte* at) { return reinterpret_cast<const uint8_t*>(at); }
inline float32x4_t load_halves(const std::byte* at) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vreinterpret_u16_u8(vld1_u8(bytes_at(at)))));
}

// 16-bit sums of 16 rows.
struct Sums16 {
  int16x8_t low = vdupq_n_s16(0), high = vdupq_n_s16(0);
  void add(uint8x16_t codes, uint8_t offset, int8_t x) {
    const int8x16_t q = vreinterpretq_s8_u8(vsubq_u8(codes, vdupq_n_u8(offset)));
    low = vmlal_s8(low, vget_low_s8(q), vdup_n_s8(x));
    high = vmlal_s8(high, vget_high_s8(q), vdup_n_s8(x));
  }
  void flush(int32x4_t (&isum)[4]) const {
    isum[0] = vaddw_s16(isum[0], vget_low_s16(low));
    isum[1] = vaddw_s16(isum[1], vget_high_s16(low));
    isum[2] = vaddw_s16(isum[2], vget_low_s16(high));
    isum[3] = vaddw_s16(isum[3], vget_high_s16(high));
  }
};

// add(codes, x, columns, isum): integer products of up to 32 columns of 16 rows.
struct Nibbles {
  static constexpr int64_t kBytesPerColumn = 8;
  static void add(const std::byte* codes, const int8_t* x, int64_t columns, int32x4_t (&isum)[4]) {
    Sums16 sums;
    for (int64_t k = 0; k < columns; k += 8) {
      const uint8x16x4_t eight = vld4q_u8(bytes_at(codes + k * kBytesPerColumn));
      unroll<4>([&](auto j) {
        sums.add(vandq_u8(eight.val[j], vdupq_n_u8(15)), 8, x[k + j]);
        sums.add(vshrq_n_u8(eight.val[j], 4), 8, x[k + 4 + j]);
      });
    }
    sums.flush(isum);
  }
};
struct Bytes {
  static constexpr int64_t kBytesPerColumn = 16;
  static void add(const std::byte* codes, const int8_t* x, int64_t columns, int32x4_t (&isum)[4]) {
    for (int64_t k = 0; k < columns; k += 4) {
      const uint8x16x4_t four = vld4q_u8(bytes_at(codes + k * kBytesPerColumn));
      unroll<2>([&](auto pair) {
        Sums16 sums;
        sums.add(four.val[2 * pair], 128, x[k + 2 * pair]);
        sums.add(four.val[2 * pair + 1], 128, x[k + 2 * pair + 1]);
        sums.flush(isum);
      });
    }
  }
};

template <class Codes, bool kBlock>
inline void one_panel(const LinearArgs& args, int64_t panel, int64_t token) {
  const int64_t padded = (args.columns + 7) / 8 * 8;
  const int64_t scale_bytes = kBlock ? (args.columns + 63) / 64 * 64 : 64;
  const std::byte* scales = args.weights + panel * (scale_bytes + padded * Codes::kBytesPerColumn);
  const std::byte* codes = scales + scale_bytes;
  const int8_t* x = args.q.codes + token * args.q.code_stride;
  const float* x_scales = args.q.scales + token * args.q.scale_stride;
  float32x4_t acc[4];
  unroll<4>([&](auto i) { acc[i] = vdupq_n_f32(0); });
  for (int64_t block = 0; block < args.columns; block += kActivationBlock) {
    const int64_t block_end = block + kActivationBlock < padded ? block + kActivationBlock : padded;
    float32x4_t s[4];
    int32x4_t isum[4];
    unroll<4>([&](auto i) {
      s[i] = vdupq_n_f32(0);
      isum[i] = vdupq_n_s32(0);
    });
    for (int64_t group = block; group < block_end; group += kActivationGroup) {
      const int64_t columns = group + kActivationGroup < padded ? kActivationGroup : padded - group;
      Codes::add(codes + group * Codes::kBytesPerColumn, x + group, columns, isum);
      if (!kBlock) continue;
      unroll<4>([&](auto i) {
        s[i] = vfmaq_f32(s[i], vcvtq_f32_s32(isum[i]), load_halves(scales + group + 8 * i));
        isum[i] = vdupq_n_s32(0);
      });
    }
    unroll<4>([&](auto i) {
      acc[i] = vfmaq_n_f32(acc[i], kBlock ? s[i] : vcvtq_f32_s32(isum[i]), x_scales[block / kActivationBlock]);
    });
  }
  alignas(16) float result[16];
  unroll<4>(
      [&](auto i) { vst1q_f32(result + 4 * i, kBlock ? acc[i] : vmulq_f32(acc[i], load_halves(scales + 8 * i))); });
  const int64_t left = args.rows - panel * 16, rows = left < 16 ? left : 16;
  __builtin_memcpy(args.y + token * args.y_stride + panel * 16, result, static_cast<size_t>(rows) * 4);
}

template <class Codes, bool kBlock>
inline void linear(const LinearArgs& args) {
  for (int64_t panel = args.panel_begin; panel < args.panel_end; ++panel) {
    for (int64_t token = 0; token < args.tokens; ++token) one_panel<Codes, kBlock>(args, panel, token);
  }
}

}  // namespace

void linear_int8_channel_panel16_int8_neon(const LinearArgs& args) { linear<Bytes, false>(args); }
void linear_int8_block32_panel16_int8_neon(const LinearArgs& args) { linear<Bytes, true>(args); }
void linear_int4_channel_panel16_int8_neon(const LinearArgs& args) { linear<Nibbles, false>(args); }
void linear_int4_block32_panel16_int8_neon(const LinearArgs& args) { linear<Nibbles, true>(args); }

}  // namespace halftone
