// SPDX-License-Identifier: Apache-2.0
// int8 contract of palettes on NEON: bytes of 4 rows and 4 columns are looked up at once, and meet the same dword of
// activations. Products of two bytes fit 16 bits.
#include "kernels/linear/int8_dot_neon.h"
#include "kernels/linear/palette_bytes.h"

namespace halftone {
namespace {

template <class Panel>
inline void make_bytes(const std::byte* panel, PaletteBytes<Panel>& out) {
  alignas(16) float numbers[(Panel::kNumbers + 15) / 16 * 16], row_scales[16];
  for (int i = 0; i < Panel::kNumbers; i += 4) vst1q_f32(numbers + i, load_halves(panel + 2 * i));
  for (int i = 0; Panel::kScaled && i < 16; i += 4)
    vst1q_f32(row_scales + i, load_halves(panel + Panel::kScaleAt + 2 * i));
  make_palette_bytes<Panel>(numbers, row_scales, out);
}

// Bytes of 4 rows, less 128.
template <class Panel>
struct Lookup {
  uint8x16x4_t tables;
  void load(const PaletteBytes<Panel>& bytes, int quarter) {
    for (int i = 0; i < 4; ++i) tables.val[i] = vld1q_u8(bytes.tables[i % Panel::kTables] + 16 * quarter);
  }
  int8x16_t at(uint8x16_t codes) const {
    if constexpr (Panel::kRows == 1) {
      const uint64_t next = Panel::kEntries * uint64_t{0x01010101};
      codes = vorrq_u8(
          codes, vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(next << 32), vcreate_u64(3 * next << 32 | 2 * next))));
    }
    const uint8x16_t found = Panel::kTables == 1   ? vqtbl1q_u8(tables.val[0], codes)
                             : Panel::kTables == 2 ? vqtbl2q_u8({{tables.val[0], tables.val[1]}}, codes)
                                                   : vqtbl4q_u8(tables, codes);
    return vreinterpretq_s8_u8(veorq_u8(found, vdupq_n_u8(128)));
  }
};

// One quarter of a panel and one token.
template <class Panel>
inline float32x4_t sums_of(const LinearArgs& args, const Lookup<Panel>& lookup, const std::byte* codes, int64_t token) {
  constexpr int kQuads = Codes<Panel::kBits>::kQuads;
  const int8_t* x = args.q.codes + token * args.q.code_stride;
  const float* x_scales = args.q.scales + token * args.q.scale_stride;
  const int64_t padded = Panel::padded(args.columns);
  float32x4_t acc = vdupq_n_f32(0);
  for (int64_t block = 0; block < args.columns; block += kActivationBlock, ++x_scales) {
    const int64_t end = block + kActivationBlock < padded ? block + kActivationBlock : padded;
    int32x4_t isum = vdupq_n_s32(0);
    for (int64_t k = block; k < end; k += Panel::kUnit) {
      uint8x16_t quads[kQuads];
      load_quads<Panel::kBits>(codes + k * Panel::kColumnBytes, quads);
      unroll<kQuads>([&](auto quad) {
        int32_t dword;
        __builtin_memcpy(&dword, x + k + 4 * quad, 4);
        const int8x16_t four = vreinterpretq_s8_s32(vdupq_n_s32(dword)), bytes = lookup.at(quads[quad]);
        const int16x8_t low = vmull_s8(vget_low_s8(bytes), vget_low_s8(four)), high = vmull_high_s8(bytes, four);
        isum = vaddq_s32(isum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
      });
    }
    acc = vfmaq_n_f32(acc, vcvtq_f32_s32(isum), *x_scales);
  }
  return acc;
}

template <class Panel>
inline void linear(const LinearArgs& args) {
  for (int64_t panel = args.panel_begin; panel < args.panel_end; ++panel) {
    const std::byte* at = args.weights + panel * Panel::bytes(args.columns);
    PaletteBytes<Panel> bytes;
    make_bytes<Panel>(at, bytes);
    for (int quarter = 0; quarter < 4; ++quarter) {
      Lookup<Panel> lookup;
      lookup.load(bytes, quarter);
      const std::byte* codes = at + Panel::head(args.columns) + 16 * quarter;
      for (int64_t token = 0; token < args.tokens; ++token) {
        float result[4];
        vst1q_f32(result, vmulq_f32(sums_of<Panel>(args, lookup, codes, token), vld1q_f32(bytes.scales + 4 * quarter)));
        store_quarters<1>(args, token, panel * 16 + 4 * quarter, result);
      }
    }
  }
}

}  // namespace

#define LINEAR_BYTES(with, name, bits, rows, kind)                  \
  void linear_##name##_panel16_int8_neon(const LinearArgs& args) {  \
    linear<BytePaletteOfRows<bits, rows, PaletteKind::kind>>(args); \
  }
HALFTONE_BYTE_PALETTES(LINEAR_BYTES, )

}  // namespace halftone
