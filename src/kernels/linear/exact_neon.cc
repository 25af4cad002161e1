// SPDX-License-Identifier: Apache-2.0
// Exact contract on NEON: a panel is four registers of 4 rows, one fma chain per (row, token), k ascending. Chunks of
// columns are decoded to scratch (L1) and meet every token of the batch there; y carries the sums from chunk to chunk.
#include <arm_neon.h>

#include "kernels/linear/linear_args.h"
#include "kernels/linear/scales_neon.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

constexpr int64_t kChunkColumns = 128;
constexpr int kMaxTokens = 4;

inline int64_t round_up_to(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }
inline uint16x4_t load_words(const std::byte* at) { return vreinterpret_u16_u8(vld1_u8(bytes_at(at))); }
inline float32x4_t bfloats(uint16x4_t bits) { return vreinterpretq_f32_u32(vshll_n_u16(bits, 16)); }

// decode(panel, columns, begin, end, out): columns [begin, end) of 16 rows as f32 [k][16]; begin is a multiple of 32.
struct F32Panel {
  static int64_t bytes(int64_t columns) { return columns * 64; }
  static void decode(const std::byte* panel, int64_t, int64_t begin, int64_t end, float* out) {
    for (int64_t at = begin * 64; at < end * 64; at += 16, out += 4) {
      vst1q_f32(out, vreinterpretq_f32_u8(vld1q_u8(bytes_at(panel + at))));
    }
  }
};
struct F16Panel {
  static int64_t bytes(int64_t columns) { return round_up_to(columns * 32, 64); }
  static void decode(const std::byte* panel, int64_t, int64_t begin, int64_t end, float* out) {
    for (int64_t at = begin * 32; at < end * 32; at += 8, out += 4) vst1q_f32(out, load_halves(panel + at));
  }
};
struct Bf16Panel {
  static int64_t bytes(int64_t columns) { return round_up_to(columns, 2) * 32; }
  static void decode(const std::byte* panel, int64_t, int64_t begin, int64_t end, float* out) {
    const uint32x4_t upper = vdupq_n_u32(0xffff0000u);
    for (int64_t k = begin; k < end; k += 2, out += 32) {
      for (int r = 0; r < 16; r += 4) {
        const uint32x4_t both = vreinterpretq_u32_u8(vld1q_u8(bytes_at(panel + k * 32 + r * 4)));
        vst1q_f32(out + r, vreinterpretq_f32_u32(vshlq_n_u32(both, 16)));
        vst1q_f32(out + 16 + r, vreinterpretq_f32_u32(vandq_u32(both, upper)));
      }
    }
  }
};

// Float(code - kOffset) of 16 rows, times scale, plus base (affine).
template <class Packed>
struct IntegerPanel {
  static int64_t bytes(int64_t columns) { return Packed::bytes(columns); }
  static void store_column(uint8x16_t codes, const float32x4_t (&scales)[4], const float32x4_t (&bases)[4],
                           float* out) {
    const uint16x8_t low = vmovl_u8(vget_low_u8(codes)), high = vmovl_u8(vget_high_u8(codes));
    const uint16x4_t four[4] = {vget_low_u16(low), vget_high_u16(low), vget_low_u16(high), vget_high_u16(high)};
    unroll<4>([&](auto i) {
      const int32x4_t q = vsubq_s32(vreinterpretq_s32_u32(vmovl_u16(four[i])), vdupq_n_s32(Packed::kOffset));
      const float32x4_t value = vcvtq_f32_s32(q);
      vst1q_f32(out + 4 * i, Packed::kAffine ? vfmaq_f32(bases[i], value, scales[i]) : vmulq_f32(value, scales[i]));
    });
  }
  static void decode(const std::byte* panel, int64_t columns, int64_t begin, int64_t end, float* out) {
    const std::byte* codes = panel + Packed::head(columns);
    for (int64_t k = begin; k < end; k += Packed::kUnit) {
      float32x4_t scales[4], bases[4];
      unroll<4>([&](auto i) {
        scales[i] = load_scale<Packed>(panel, k, i);
        bases[i] = Packed::kAffine ? load_base<Packed>(panel, k, i) : vdupq_n_f32(0);
      });
      for_each_column<Packed::kBits>(codes + k * Packed::kColumnBytes, [&](int column, uint8x16_t code) {
        store_column(code, scales, bases, out + (k - begin + column) * 16);
      });
    }
  }
};

// Bytes of the f16 entries that codes of 16 rows stand for: tables of 16 or 64 bytes, or one row after the other where
// rows have their own palettes.
template <class Packed>
struct Entries {
  static constexpr bool kTables = Packed::kRows == 16;
  static constexpr int kCount = kTables && Packed::kBits > 4 ? Packed::kEntries / 16 : 1;
  const std::byte* panel;
  uint8x16x2_t parts[kCount];  // lower and upper bytes of 16 entries; a head has 64 bytes or more
  explicit Entries(const std::byte* panel) : panel(panel) {
    for (int i = 0; i < kCount; ++i) parts[i] = vld2q_u8(bytes_at(panel + 32 * i));
  }
  template <int kPart>
  uint8x16_t part(uint8x16_t codes) const {
    if constexpr (kCount == 1) return vqtbl1q_u8(parts[0].val[kPart], codes);
    uint8x16_t found = vdupq_n_u8(0);  // a table leaves what codes beyond it have found
    for (int i = 0; i < kCount; i += 4) {
      const uint8x16x4_t table = {
          {parts[i].val[kPart], parts[i + 1].val[kPart], parts[i + 2].val[kPart], parts[i + 3].val[kPart]}};
      found = vqtbx4q_u8(found, table, vsubq_u8(codes, vdupq_n_u8(static_cast<uint8_t>(16 * i))));
    }
    return found;
  }
  void at(uint8x16_t codes, float32x4_t (&out)[4]) const {
    alignas(16) uint16_t entries[16];
    if constexpr (kTables) {
      const uint8x16_t low = part<0>(codes), high = part<1>(codes);
      vst1q_u8(reinterpret_cast<uint8_t*>(entries), vzip1q_u8(low, high));
      vst1q_u8(reinterpret_cast<uint8_t*>(entries + 8), vzip2q_u8(low, high));
    } else {
      alignas(16) uint8_t code[16];
      vst1q_u8(code, codes);
      for (int r = 0; r < 16; ++r)
        __builtin_memcpy(entries + r, panel + 2 * (r / Packed::kRows * Packed::kEntries + code[r]), 2);
    }
    for (int i = 0; i < 4; ++i) out[i] = load_halves(reinterpret_cast<const std::byte*>(entries + 4 * i));
  }
};

template <class Packed>
struct PalettePanel {
  static int64_t bytes(int64_t columns) { return Packed::bytes(columns); }
  static void decode(const std::byte* panel, int64_t columns, int64_t begin, int64_t end, float* out) {
    const std::byte* codes = panel + Packed::head(columns);
    const Entries<Packed> entries(panel);
    for (int64_t k = begin; k < end; k += Packed::kUnit) {
      for_each_column<Packed::kBits>(codes + k * Packed::kColumnBytes, [&](int column, uint8x16_t code) {
        float32x4_t values[4];
        entries.at(code, values);
        for (int i = 0; i < 4; ++i) {
          if (Packed::kScaled) values[i] = vmulq_f32(values[i], load_halves(panel + Packed::kScaleAt + 8 * i));
          vst1q_f32(out + (k - begin + column) * 16 + 4 * i, values[i]);
        }
      });
    }
  }
};

// Entries of several rows: 16 codes of one byte are kVector columns, 4 apart.
template <class Packed>
inline void decode_vectors(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end, float* out) {
  constexpr int kVector = Packed::kVector, kCodes = 16 / kVector;  // of a column
  const std::byte* first = args.weights + panel * Packed::bytes(args.columns);
  const std::byte* palette = Packed::kHead ? args.head : first;
  const std::byte* codes = first + Packed::head(args.columns);
  for (int64_t k = begin; k < end; k += Packed::kUnit) {
    for_each_column<Packed::kBits>(codes + k * Packed::kColumnBytes, [&](int column, uint8x16_t found) {
      alignas(16) uint8_t code[16];
      vst1q_u8(code, found);
      float* to = out + (k - begin + column / 4 * 4 * kVector + column % 4) * 16;
      for (int beside = 0; beside < kVector; ++beside, to += 4 * 16) {
        alignas(16) uint16_t entries[16];
        for (int i = 0; i < kCodes; ++i)
          __builtin_memcpy(entries + kVector * i, palette + 2 * kVector * code[kCodes * beside + i], 2 * kVector);
        for (int i = 0; i < 4; ++i) {
          float32x4_t values = load_halves(reinterpret_cast<const std::byte*>(entries + 4 * i));
          if (Packed::kScaled) values = vmulq_f32(values, load_halves(first + Packed::kScaleAt + 8 * i));
          vst1q_f32(to + 4 * i, values);
        }
      }
    });
  }
}

// Elements of Order::rows: 4 columns of one row.
struct F32Rows {
  static constexpr int64_t kBytes = 4;
  static float32x4_t load(const std::byte* at) { return vreinterpretq_f32_u8(vld1q_u8(bytes_at(at))); }
};
struct F16Rows {
  static constexpr int64_t kBytes = 2;
  static float32x4_t load(const std::byte* at) { return load_halves(at); }
};
struct Bf16Rows {
  static constexpr int64_t kBytes = 2;
  static float32x4_t load(const std::byte* at) { return bfloats(load_words(at)); }
};

template <class Panel>
inline void decode_panel(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end, float* out) {
  Panel::decode(args.weights + panel * Panel::bytes(args.columns), args.columns, begin, end, out);
}

template <class Rows>
inline void decode_rows(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end, float* out) {
  const int64_t row_bytes = args.columns * Rows::kBytes, last_row = args.rows - panel * 16 - 1;
  const std::byte* first = args.weights + panel * 16 * row_bytes;
  for (int64_t k = begin; k < end; k += 4) {
    const int64_t n = end - k < 4 ? end - k : 4;
    for (int64_t r = 0; r < 16; r += 4) {
      float32x4x4_t block;  // 4 rows of 4 columns; rows beyond the last repeat it, their results are dropped
      unroll<4>([&](auto i) {
        const std::byte* at = first + (r + i < last_row ? r + i : last_row) * row_bytes + k * Rows::kBytes;
        alignas(16) std::byte part[16] = {};
        if (n < 4) __builtin_memcpy(part, at, static_cast<size_t>(n * Rows::kBytes));
        block.val[i] = Rows::load(n < 4 ? part : at);
      });
      alignas(16) float columns[16];
      vst4q_f32(columns, block);  // interleaves: [column][row]
      for (int64_t i = 0; i < n; ++i) vst1q_f32(out + (k - begin + i) * 16 + r, vld1q_f32(columns + 4 * i));
    }
  }
}

template <int kTokens>
inline void tile(const LinearArgs& args, const float* weights, int64_t panel, int64_t token, int64_t begin,
                 int64_t end) {
  const int64_t left = args.rows - panel * 16, rows = left < 16 ? left : 16;
  float32x4_t acc[kTokens * 4];
  unroll<kTokens>([&](auto t) {
    alignas(16) float block[16] = {};
    const float* y = args.y + (token + t) * args.y_stride + panel * 16;
    if (begin > 0) __builtin_memcpy(block, y, static_cast<size_t>(rows) * 4);
    unroll<4>([&](auto i) { acc[t * 4 + i] = vld1q_f32(block + 4 * i); });
  });
  const float* x = args.x + token * args.x_stride + begin;
  for (int64_t k = 0; k < end - begin; ++k, weights += 16) {
    unroll<4>([&](auto i) {
      const float32x4_t w = vld1q_f32(weights + 4 * i);
      unroll<kTokens>([&](auto t) { acc[t * 4 + i] = vfmaq_n_f32(acc[t * 4 + i], w, x[t * args.x_stride + k]); });
    });
  }
  unroll<kTokens>([&](auto t) {
    alignas(16) float block[16];
    unroll<4>([&](auto i) { vst1q_f32(block + 4 * i, acc[t * 4 + i]); });
    __builtin_memcpy(args.y + (token + t) * args.y_stride + panel * 16, block, static_cast<size_t>(rows) * 4);
  });
}

using DecodeFn = void (*)(const LinearArgs&, int64_t, int64_t, int64_t, float*);
using TileFn = void (*)(const LinearArgs&, const float*, int64_t, int64_t, int64_t, int64_t);
constexpr TileFn kTiles[kMaxTokens] = {tile<1>, tile<2>, tile<3>, tile<4>};

template <DecodeFn kDecode>
inline void linear(const LinearArgs& args) {
  auto* scratch = reinterpret_cast<float*>(args.scratch);
  for (int64_t panel = args.panel_begin; panel < args.panel_end; ++panel) {
    for (int64_t begin = 0; begin < args.columns; begin += kChunkColumns) {
      const int64_t end = begin + kChunkColumns < args.columns ? begin + kChunkColumns : args.columns;
      kDecode(args, panel, begin, end, scratch);
      for (int64_t token = 0; token < args.tokens; token += kMaxTokens) {
        const int64_t count = args.tokens - token < kMaxTokens ? args.tokens - token : kMaxTokens;
        kTiles[count - 1](args, scratch, panel, token, begin, end);
      }
    }
  }
}

}  // namespace

void linear_f32_rows_exact_neon(const LinearArgs& args) { linear<decode_rows<F32Rows>>(args); }
void linear_f16_rows_exact_neon(const LinearArgs& args) { linear<decode_rows<F16Rows>>(args); }
void linear_bf16_rows_exact_neon(const LinearArgs& args) { linear<decode_rows<Bf16Rows>>(args); }
void linear_f32_panel16_exact_neon(const LinearArgs& args) { linear<decode_panel<F32Panel>>(args); }
void linear_f16_panel16_exact_neon(const LinearArgs& args) { linear<decode_panel<F16Panel>>(args); }
void linear_bf16_panel16_exact_neon(const LinearArgs& args) { linear<decode_panel<Bf16Panel>>(args); }

#define LINEAR_EXACT(with, name, bits, group, kind)                                     \
  void linear_##name##_panel16_exact_neon(const LinearArgs& args) {                     \
    linear<decode_panel<IntegerPanel<PackedPanel<bits, group, CodeKind::kind>>>>(args); \
  }
HALFTONE_INTEGER_LAYOUTS(LINEAR_EXACT, )

#define LINEAR_PALETTE(with, name, bits, rows, kind)                                        \
  void linear_##name##_panel16_exact_neon(const LinearArgs& args) {                         \
    linear<decode_panel<PalettePanel<PaletteOfRows<bits, rows, PaletteKind::kind>>>>(args); \
  }
HALFTONE_PALETTE_LAYOUTS(LINEAR_PALETTE, )

#define LINEAR_VECTORS(with, name, bits, vector, rows, kind)             \
  void linear_##name##_panel16_exact_neon(const LinearArgs& args) {      \
    using Packed = VectorPalette<bits, vector, rows, PaletteKind::kind>; \
    linear<decode_vectors<Packed>>(behind_head<Packed>(args));           \
  }
HALFTONE_VECTOR_LAYOUTS(LINEAR_VECTORS, )

}  // namespace halftone
