// SPDX-License-Identifier: Apache-2.0
// Exact contract on AVX2: a panel is two registers of 8 rows, one fma chain per (row, token), k ascending. Chunks of
// columns are decoded to scratch (L1) and meet every token of the batch there; y carries the sums from chunk to chunk.
#include <immintrin.h>

#include "kernels/linear/linear_args.h"
#include "kernels/linear/scales_avx2.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

constexpr int64_t kFloatsOfChunk = kLinearChunkBytes / 4;
constexpr int kMaxTokens = 6;

inline int64_t round_up_to(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// decode(panel, columns, begin, end, out): columns [begin, end) of 16 rows as f32 [k][16]; begin is a multiple of 32.
struct F32Panel {
  static int64_t bytes(int64_t columns) { return columns * 64; }
  static void decode(const std::byte* panel, int64_t, int64_t begin, int64_t end, float* out) {
    for (int64_t at = begin * 64; at < end * 64; at += 32, out += 8) {
      _mm256_store_ps(out, _mm256_loadu_ps(reinterpret_cast<const float*>(panel + at)));
    }
  }
};

struct F16Panel {
  static int64_t bytes(int64_t columns) { return round_up_to(columns * 32, 64); }
  static void decode(const std::byte* panel, int64_t, int64_t begin, int64_t end, float* out) {
    for (int64_t at = begin * 32; at < end * 32; at += 16, out += 8) _mm256_store_ps(out, load_halves(panel + at));
  }
};

struct Bf16Panel {
  static int64_t bytes(int64_t columns) { return round_up_to(columns, 2) * 32; }
  static void decode(const std::byte* panel, int64_t, int64_t begin, int64_t end, float* out) {
    const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
    for (int64_t k = begin; k < end; k += 2, out += 32) {
      for (int half = 0; half < 2; ++half) {
        const __m256i both = load_dwords(panel + k * 32 + half * 32);
        _mm256_store_ps(out + half * 8, _mm256_castsi256_ps(_mm256_slli_epi32(both, 16)));
        _mm256_store_ps(out + half * 8 + 16, _mm256_castsi256_ps(_mm256_and_si256(both, upper)));
      }
    }
  }
};

// One column of dwords. Symmetric: float(code) * scale - offset * scale is rounded once, and q * scale is
// representable: exact. Affine: `add` is the base.
template <int kShift, int kMask>
inline void store_column(__m256i dwords, __m256 scale, __m256 add, float* out) {
  const __m256i code = _mm256_and_si256(_mm256_srli_epi32(dwords, kShift), _mm256_set1_epi32(kMask));
  _mm256_store_ps(out, _mm256_fmadd_ps(_mm256_cvtepi32_ps(code), scale, add));
}

template <class Packed>
struct IntegerPanel {
  static constexpr int kQuads = Codes<Packed::kBits>::kQuads, kVectors = Codes<Packed::kBits>::kVectors;
  static int64_t bytes(int64_t columns) { return Packed::bytes(columns); }
  static void decode(const std::byte* panel, int64_t columns, int64_t begin, int64_t end, float* out) {
    const std::byte* codes = panel + Packed::head(columns);
    for (int64_t k = begin; k < end; k += Packed::kUnit, out += 16 * Packed::kUnit) {
      for (int half = 0; half < 2; ++half) {
        const GroupScales<Packed> scales(panel, k, half);
        const __m256 scale = scales.scale(panel, k, half);
        const __m256 add = Packed::kAffine ? scales.base(panel, k, half)
                                           : _mm256_mul_ps(scale, _mm256_set1_ps(static_cast<float>(-Packed::kOffset)));
        __m256i bytes[kVectors], quads[kQuads];
        unroll<kVectors>(
            [&](auto i) { bytes[i] = load_dwords(codes + k * Packed::kColumnBytes + 64 * i + half * 32); });
        if constexpr (Packed::kBits == 4) {  // nibbles come from the dwords as quickly as bytes do
          quads[0] = quads[1] = bytes[0];
        } else {
          Codes<Packed::kBits>::template unpack<BytesAvx2>(bytes, quads);
        }
        unroll<4 * kQuads>([&](auto column) {
          constexpr int kColumn = column.kValue, kShift = 8 * (kColumn % 4);
          constexpr bool kNibbles = Packed::kBits == 4;
          store_column<kNibbles ? kShift + kColumn / 4 * 4 : kShift, kNibbles ? 15 : 255>(
              quads[kColumn / 4], scale, add, out + half * 8 + 16 * kColumn);
        });
      }
    }
  }
};

// What codes of 8 rows stand for: a register where one palette has 8 entries, two for 16, else gathered: 4 bytes, of
// which the lower 2 are the entry.
template <class Packed>
struct Entries {
  static constexpr bool kRegisters = Packed::kRows == 16 && Packed::kBits <= 4;
  __m256 low, high;
  const std::byte* panel;
  int half;
  Entries(const std::byte* panel, int half)
      : low(load_halves(panel)), high(load_halves(panel + 16)), panel(panel), half(half) {}
  __m256 at(__m256i codes) const {
    if constexpr (kRegisters) {
      const __m256 entry = _mm256_permutevar8x32_ps(low, codes);
      if constexpr (Packed::kBits < 4) return entry;
      const __m256 upper = _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28));
      return _mm256_blendv_ps(entry, _mm256_permutevar8x32_ps(high, codes), upper);
    } else {
      const __m256i rows = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(8 * half));
      constexpr int kLog = Packed::kRows == 16 ? 4 : Packed::kRows == 8 ? 3 : Packed::kRows == 4 ? 2 : 0;
      const __m256i index = _mm256_add_epi32(codes, _mm256_slli_epi32(_mm256_srli_epi32(rows, kLog), Packed::kBits));
      const __m256i found = _mm256_and_si256(_mm256_i32gather_epi32(reinterpret_cast<const int*>(panel), index, 2),
                                             _mm256_set1_epi32(0xffff));
      return _mm256_cvtph_ps(_mm_packus_epi32(_mm256_castsi256_si128(found), _mm256_extracti128_si256(found, 1)));
    }
  }
};

template <class Packed>
struct PalettePanel {
  static constexpr int kQuads = Codes<Packed::kBits>::kQuads, kVectors = Codes<Packed::kBits>::kVectors;
  static int64_t bytes(int64_t columns) { return Packed::bytes(columns); }
  static void decode(const std::byte* panel, int64_t columns, int64_t begin, int64_t end, float* out) {
    const std::byte* codes = panel + Packed::head(columns);
    for (int half = 0; half < 2; ++half) {
      const Entries<Packed> entries(panel, half);
      const __m256 scale = Packed::kScaled ? load_halves(panel + Packed::kScaleAt + half * 16) : _mm256_setzero_ps();
      float* to = out + half * 8;
      for (int64_t k = begin; k < end; k += Packed::kUnit, to += 16 * Packed::kUnit) {
        __m256i bytes[kVectors], quads[kQuads];
        unroll<kVectors>(
            [&](auto i) { bytes[i] = load_dwords(codes + k * Packed::kColumnBytes + 64 * i + half * 32); });
        Codes<Packed::kBits>::template unpack<BytesAvx2>(bytes, quads);
        for (int quad = 0; quad < kQuads; ++quad) {
          unroll<4>([&](auto byte) {
            const __m256i code =
                _mm256_and_si256(_mm256_srli_epi32(quads[quad], 8 * byte.kValue), _mm256_set1_epi32(255));
            const __m256 entry = entries.at(code);
            _mm256_store_ps(to + 16 * (4 * quad + byte.kValue), Packed::kScaled ? _mm256_mul_ps(entry, scale) : entry);
          });
        }
      }
    }
  }
};

// 16 halves: the rows of one column.
template <bool kScaled>
inline void store_rows(__m256i halves, const __m256 (&scales)[2], float* out) {
  const __m256 low = _mm256_cvtph_ps(_mm256_castsi256_si128(halves));
  const __m256 high = _mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1));
  _mm256_store_ps(out, kScaled ? _mm256_mul_ps(low, scales[0]) : low);
  _mm256_store_ps(out + 8, kScaled ? _mm256_mul_ps(high, scales[1]) : high);
}

// Entries of several rows, gathered: 8 codes of one byte are a column of pairs, or two of fours.
template <class Packed>
struct VectorPanel {
  static constexpr int kQuads = Codes<Packed::kBits>::kQuads, kVectors = Codes<Packed::kBits>::kVectors;
  static void decode(const std::byte* panel, const std::byte* palette, int64_t columns, int64_t begin, int64_t end,
                     float* out) {
    const std::byte* codes = panel + Packed::head(columns);
    const std::byte* scale = panel + Packed::kScaleAt;
    const __m256 scales[2] = {Packed::kScaled ? load_halves(scale) : _mm256_setzero_ps(),
                              Packed::kScaled ? load_halves(scale + 16) : _mm256_setzero_ps()};
    for (int64_t k = begin; k < end; k += Packed::kUnit, out += 16 * Packed::kUnit) {
      for (int half = 0; half < 2; ++half) {
        __m256i bytes[kVectors], quads[kQuads];
        unroll<kVectors>(
            [&](auto i) { bytes[i] = load_dwords(codes + k * Packed::kColumnBytes + 64 * i + half * 32); });
        Codes<Packed::kBits>::template unpack<BytesAvx2>(bytes, quads);
        for (int quad = 0; quad < kQuads; ++quad) {
          unroll<4>([&](auto byte) {
            const __m256i code =
                _mm256_and_si256(_mm256_srli_epi32(quads[quad], 8 * byte.kValue), _mm256_set1_epi32(255));
            if constexpr (Packed::kVector == 2) {
              store_rows<Packed::kScaled>(_mm256_i32gather_epi32(reinterpret_cast<const int*>(palette), code, 4),
                                          scales, out + 16 * (8 * quad + 4 * half + byte.kValue));
            } else {
              const auto* fours = reinterpret_cast<const long long*>(palette);
              float* to = out + 16 * (16 * quad + 8 * half + byte.kValue);
              store_rows<Packed::kScaled>(_mm256_i32gather_epi64(fours, _mm256_castsi256_si128(code), 8), scales, to);
              store_rows<Packed::kScaled>(_mm256_i32gather_epi64(fours, _mm256_extracti128_si256(code, 1), 8), scales,
                                          to + 16 * 4);
            }
          });
        }
      }
    }
  }
};

// Elements of Order::rows: 8 columns of one row, the first `n` of them.
struct F32Rows {
  static constexpr int64_t kBytes = 4;
  static __m256 load(const std::byte* at) { return _mm256_loadu_ps(reinterpret_cast<const float*>(at)); }
};
struct F16Rows {
  static constexpr int64_t kBytes = 2;
  static __m256 load(const std::byte* at) { return load_halves(at); }
};
struct Bf16Rows {
  static constexpr int64_t kBytes = 2;
  static __m256 load(const std::byte* at) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  }
};

inline void transpose(__m256 (&r)[8]) {
  __m256 t[8];
  for (int i = 0; i < 8; i += 4) {
    const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(r[i], r[i + 1]));
    const __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(r[i], r[i + 1]));
    const __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(r[i + 2], r[i + 3]));
    const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(r[i + 2], r[i + 3]));
    t[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, c));
    t[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, c));
    t[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(b, d));
    t[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(b, d));
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
    r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
  }
}

// `rows` holds 8 addresses of column k of 8 rows. Out: f32 [n][16], 8 lanes of it.
template <class Rows>
inline void transpose_rows(const std::byte* const (&rows)[8], int64_t n, float* out) {
  __m256 columns[8];
  if (n >= 8) {
    for (int r = 0; r < 8; ++r) columns[r] = Rows::load(rows[r]);
  } else {
    for (int r = 0; r < 8; ++r) {
      alignas(32) std::byte part[32] = {};
      __builtin_memcpy(part, rows[r], static_cast<size_t>(n * Rows::kBytes));
      columns[r] = Rows::load(part);
    }
  }
  transpose(columns);
  for (int i = 0; i < 8 && i < n; ++i) _mm256_store_ps(out + i * 16, columns[i]);
}

template <class Rows>
inline void decode_rows(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end, float* out) {
  const int64_t row_bytes = args.columns * Rows::kBytes;
  const std::byte* first = args.weights + panel * 16 * row_bytes;
  const int64_t last_row = args.rows - panel * 16 - 1;  // rows beyond it repeat it; their results are dropped
  for (int64_t k = begin; k < end; k += 8) {
    for (int64_t half = 0; half < 2; ++half) {
      const std::byte* rows[8];
      for (int64_t r = 0; r < 8; ++r) {
        const int64_t row = half * 8 + r < last_row ? half * 8 + r : last_row;
        rows[r] = first + row * row_bytes + k * Rows::kBytes;
        _mm_prefetch(reinterpret_cast<const char*>(rows[r] + 512), _MM_HINT_T1);
      }
      transpose_rows<Rows>(rows, end - k, out + (k - begin) * 16 + half * 8);
    }
  }
}

// The first byte of a panel, about the next chunk of which is fetched.
template <class Panel>
inline const std::byte* panel_ahead(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end) {
  const int64_t bytes = Panel::bytes(args.columns), done = bytes * end / args.columns;
  const std::byte* first = args.weights + panel * bytes;
  for (int64_t line = done; line < done + bytes * (end - begin) / args.columns; line += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(first + line), _MM_HINT_T0);
  }
  return first;
}

template <class Panel>
inline void decode_panel(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end, float* out) {
  Panel::decode(panel_ahead<Panel>(args, panel, begin, end), args.columns, begin, end, out);
}

template <class Packed>
inline void decode_vectors(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end, float* out) {
  const std::byte* first = panel_ahead<Packed>(args, panel, begin, end);
  VectorPanel<Packed>::decode(first, Packed::kHead ? args.head : first, args.columns, begin, end, out);
}

// Results of the last panel may be fewer than 16: they pass through a full block on the stack.
inline void load_results(const float* y, int64_t rows, __m256 (&v)[2]) {
  alignas(32) float block[16] = {};
  if (rows < 16) __builtin_memcpy(block, y, static_cast<size_t>(rows) * 4);
  const float* from = rows < 16 ? block : y;
  v[0] = _mm256_loadu_ps(from);
  v[1] = _mm256_loadu_ps(from + 8);
}
inline void store_results(float* y, int64_t rows, __m256 low, __m256 high) {
  alignas(32) float block[16];
  float* to = rows < 16 ? block : y;
  _mm256_storeu_ps(to, low);
  _mm256_storeu_ps(to + 8, high);
  if (rows < 16) __builtin_memcpy(y, block, static_cast<size_t>(rows) * 4);
}

// kPanels panels of decoded weights, `stride` floats apart, times kTokens tokens; columns [begin, end).
template <int kPanels, int kTokens>
inline void tile(const LinearArgs& args, const float* weights, int64_t stride, int64_t panel, int64_t token,
                 int64_t begin, int64_t end) {
  __m256 acc[kPanels * kTokens][2];
  unroll<kPanels * kTokens>([&](auto c) {
    const int64_t at = panel + c / kTokens;
    const float* y = args.y + (token + c % kTokens) * args.y_stride + at * 16;
    acc[c][0] = acc[c][1] = _mm256_setzero_ps();
    if (begin > 0) load_results(y, args.rows - at * 16, acc[c]);
  });
  const float* x = args.x + token * args.x_stride + begin;
  for (int64_t k = 0; k < end - begin; ++k, weights += 16) {
    unroll<kPanels>([&](auto p) {
      const __m256 low = _mm256_load_ps(weights + p * stride), high = _mm256_load_ps(weights + p * stride + 8);
      unroll<kTokens>([&](auto t) {
        const __m256 xt = _mm256_set1_ps(x[t * args.x_stride + k]);
        __m256(&sums)[2] = acc[p * kTokens + t];
        sums[0] = _mm256_fmadd_ps(xt, low, sums[0]);
        sums[1] = _mm256_fmadd_ps(xt, high, sums[1]);
      });
    });
  }
  unroll<kPanels * kTokens>([&](auto c) {
    const int64_t at = panel + c / kTokens;
    store_results(args.y + (token + c % kTokens) * args.y_stride + at * 16, args.rows - at * 16, acc[c][0], acc[c][1]);
  });
}

using TileFn = void (*)(const LinearArgs&, const float*, int64_t, int64_t, int64_t, int64_t, int64_t);
constexpr TileFn kTiles[kMaxTokens] = {tile<1, 1>, tile<1, 2>, tile<1, 3>, tile<1, 4>, tile<1, 5>, tile<1, 6>};
constexpr TileFn kOneToken[1] = {tile<4, 1>};

using DecodeFn = void (*)(const LinearArgs&, int64_t, int64_t, int64_t, float*);

template <DecodeFn kDecode, int kPanels>
inline void chunked(const LinearArgs& args, int64_t panel, const TileFn* tiles) {
  constexpr int64_t kStride = kFloatsOfChunk / 4, kColumns = kStride / 16;
  auto* scratch = reinterpret_cast<float*>(args.scratch);
  for (int64_t begin = 0; begin < args.columns; begin += kColumns) {
    const int64_t end = begin + kColumns < args.columns ? begin + kColumns : args.columns;
    for (int p = 0; p < kPanels; ++p) kDecode(args, panel + p, begin, end, scratch + p * kStride);
    int64_t tiles_left = (args.tokens + kMaxTokens - 1) / kMaxTokens;
    for (int64_t t = 0; t < args.tokens; --tiles_left) {
      const int64_t count = (args.tokens - t + tiles_left - 1) / tiles_left;
      tiles[count - 1](args, scratch, kStride, panel, t, begin, end);
      t += count;
    }
  }
}

template <DecodeFn kDecode>
inline void linear(const LinearArgs& args) {
  int64_t panel = args.panel_begin;
  if (args.tokens == 1) {
    for (; panel + 4 <= args.panel_end; panel += 4) chunked<kDecode, 4>(args, panel, kOneToken);
  }
  for (; panel < args.panel_end; ++panel) chunked<kDecode, 1>(args, panel, kTiles);
}

}  // namespace

void linear_f32_rows_exact_avx2(const LinearArgs& args) { linear<decode_rows<F32Rows>>(args); }
void linear_f16_rows_exact_avx2(const LinearArgs& args) { linear<decode_rows<F16Rows>>(args); }
void linear_bf16_rows_exact_avx2(const LinearArgs& args) { linear<decode_rows<Bf16Rows>>(args); }
void linear_f32_panel16_exact_avx2(const LinearArgs& args) { linear<decode_panel<F32Panel>>(args); }
void linear_f16_panel16_exact_avx2(const LinearArgs& args) { linear<decode_panel<F16Panel>>(args); }
void linear_bf16_panel16_exact_avx2(const LinearArgs& args) { linear<decode_panel<Bf16Panel>>(args); }

#define LINEAR_EXACT(with, name, bits, group, kind)                                     \
  void linear_##name##_panel16_exact_avx2(const LinearArgs& args) {                     \
    linear<decode_panel<IntegerPanel<PackedPanel<bits, group, CodeKind::kind>>>>(args); \
  }
HALFTONE_INTEGER_LAYOUTS(LINEAR_EXACT, )

#define LINEAR_PALETTE(with, name, bits, rows, kind)                                        \
  void linear_##name##_panel16_exact_avx2(const LinearArgs& args) {                         \
    linear<decode_panel<PalettePanel<PaletteOfRows<bits, rows, PaletteKind::kind>>>>(args); \
  }
HALFTONE_PALETTE_LAYOUTS(LINEAR_PALETTE, )

#define LINEAR_VECTORS(with, name, bits, vector, rows, kind)             \
  void linear_##name##_panel16_exact_avx2(const LinearArgs& args) {      \
    using Packed = VectorPalette<bits, vector, rows, PaletteKind::kind>; \
    linear<decode_vectors<Packed>>(behind_head<Packed>(args));           \
  }
HALFTONE_VECTOR_LAYOUTS(LINEAR_VECTORS, )

}  // namespace halftone
