// SPDX-License-Identifier: Apache-2.0
// int8 contract on base NEON (no dot product instructions): registers of 16 rows, one per column, are multiplied by one
// activation and added in 16 bits: 32 columns of up to 3 bits (7 * 127 * 32 = 28448), 16 of 4 (15 * 127 * 16 = 30480),
// 8 of 5 (31 * 127 * 8 = 31496), 4 of 6 (63 * 127 * 4 = 32004) and 2 of 8 fit, these as code - 128 (128 * 127 * 2 =
// 32512).
#include "kernels/linear/int8_neon.h"

namespace halftone {
namespace {

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

struct WideningSums {
  static constexpr int kTokens = 1, kQuarters = 4, kXStep = 1;
  template <int kBits>
  static constexpr int kTaken = kBits == 8 ? 128 : 0;
  int32x4_t isum[4];

  void clear() {
    for (int32x4_t& sum : isum) sum = vdupq_n_s32(0);
  }
  template <int kBits>
  void add(const std::byte* codes, const int8_t* x, int64_t, int64_t columns) {
    constexpr int kUnit = 4 * Codes<kBits>::kQuads;
    constexpr int kTogether = kBits == 8 ? 2 : kBits <= 3 ? 32 : 256 >> kBits;  // products that fit 16 bits
    Sums16 sums;
    for (int64_t k = 0; k < columns; k += kUnit, codes += 64 * Codes<kBits>::kVectors) {
      int added = 0;
      for_each_column<kBits>(codes, [&](int column, uint8x16_t code) {
        sums.add(vreinterpretq_s8_u8(vsubq_u8(code, vdupq_n_u8(kTaken<kBits>))), x[k + column]);
        if (kTogether < kUnit && ++added % kTogether == 0) sums.flush(isum);
      });
      if (kTogether > kUnit && (k + kUnit) % kTogether == 0) sums.flush(isum);
    }
    if (kTogether >= kUnit) sums.flush(isum);
  }
  template <int, int kQuarter>
  int32x4_t rows() const {
    return isum[kQuarter];
  }
};

template <class Panel>
inline void linear(const LinearArgs& args) {
  for (int64_t panel = args.panel_begin; panel < args.panel_end; ++panel) {
    for (int64_t token = 0; token < args.tokens; ++token) {
      tile<Panel, WideningSums>(args, panel, 0, token, args.q.codes + token * args.q.code_stride);
    }
  }
}

}  // namespace

#define LINEAR_INT8(with, name, bits, group, kind)                 \
  void linear_##name##_panel16_int8_neon(const LinearArgs& args) { \
    linear<PackedPanel<bits, group, CodeKind::kind>>(args);        \
  }
HALFTONE_INTEGER_LAYOUTS(LINEAR_INT8, )

}  // namespace halftone
