// SPDX-License-Identifier: Apache-2.0
// int8 contract on AVX2: a panel is two registers of 8 rows; dwords of 4 codes times 4 activations broadcast from
// memory. Codes go unsigned through maddubs, and products of 32 columns add up below 2^15 (4 bits: 8 * 2 * 15 * 127 =
// 30480), at 5 bits those of 16 (4 * 2 * 31 * 127 = 31496), at 6 those of 8 (2 * 2 * 63 * 127 = 32004). 8 bits would
// saturate, so the sign of code - 128 moves to the activation: 2 * 128 * 127 = 32512 fits.
#include <immintrin.h>

#include "kernels/linear/linear_args.h"
#include "kernels/linear/palette_bytes.h"
#include "kernels/linear/scales_avx2.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

inline __m256i broadcast4(const int8_t* at) {
  int32_t four;
  __builtin_memcpy(&four, at, 4);
  return _mm256_set1_epi32(four);
}

// Bytes shifted into 0..255 add up at once.
inline int32_t sum_of_16(const int8_t* x) {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
  const __m128i sums = _mm_sad_epu8(_mm_xor_si128(codes, _mm_set1_epi8(-128)), _mm_setzero_si128());
  return _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_unpackhi_epi64(sums, sums))) - 16 * 128;
}

// What the codes of half a panel stand for: themselves, or bytes of palettes.
template <class Panel, bool kPalette = Panel::kPalette>
struct Meaning {
  static constexpr bool kBytes = Panel::kBits == 8;
  void load(const std::byte*, int) {}
  __m256i at(__m256i codes) const { return codes; }
  static __m256 row_scales(const std::byte* panel, int half) { return load_halves(panel + 16 * half); }
};

template <class Panel>
struct Meaning<Panel, true> {
  static constexpr bool kBytes = true;
  __m256i tables[Panel::kTables];

  static void bytes_of(const std::byte* panel, PaletteBytes<Panel>& out) {
    alignas(32) float numbers[(Panel::kNumbers + 15) / 16 * 16], row_scales[16];
    for (int i = 0; i < Panel::kNumbers; i += 8) _mm256_store_ps(numbers + i, load_halves(panel + 2 * i));
    for (int i = 0; Panel::kScaled && i < 16; i += 8)
      _mm256_store_ps(row_scales + i, load_halves(panel + Panel::kScaleAt + 2 * i));
    make_palette_bytes<Panel>(numbers, row_scales, out);
  }
  void load(const std::byte* panel, int half) {
    PaletteBytes<Panel> bytes;
    bytes_of(panel, bytes);
    for (int i = 0; i < Panel::kTables; ++i)
      tables[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes.tables[i] + 32 * half));
  }
  static __m256 row_scales(const std::byte* panel, int half) {
    PaletteBytes<Panel> bytes;
    bytes_of(panel, bytes);
    return _mm256_load_ps(bytes.scales + 8 * half);
  }
  // A shuffle reads 4 bits of an index; the fifth and sixth, moved to the top of their byte, choose between tables.
  __m256i at(__m256i codes) const {
    if constexpr (Panel::kRows == 1) {
      constexpr int kNext = Panel::kEntries * 0x01010101;
      codes = _mm256_or_si256(codes, _mm256_setr_epi32(0, kNext, 2 * kNext, 3 * kNext, 0, kNext, 2 * kNext, 3 * kNext));
    }
    __m256i bytes[Panel::kTables];
    for (int i = 0; i < Panel::kTables; ++i) bytes[i] = _mm256_shuffle_epi8(tables[i], codes);
    if constexpr (Panel::kTables == 1) return bytes[0];
    const __m256i fifth = _mm256_slli_epi16(codes, 3), sixth = _mm256_slli_epi16(codes, 2);
    const __m256i low = _mm256_blendv_epi8(bytes[0], bytes[1 % Panel::kTables], fifth);
    if constexpr (Panel::kTables == 2) return low;
    const __m256i high = _mm256_blendv_epi8(bytes[2 % Panel::kTables], bytes[3 % Panel::kTables], fifth);
    return _mm256_blendv_epi8(low, high, sixth);
  }
};

// What add_columns takes from each code.
template <class Panel>
constexpr int kTaken = Meaning<Panel>::kBytes ? 128 : 0;

// isum += (code - kTaken) * x over up to 32 columns of 8 rows.
template <class Panel>
inline void add_columns(const Meaning<Panel>& meaning, const std::byte* codes, const int8_t* x, int64_t columns,
                        __m256i& isum) {
  constexpr int kBits = Panel::kBits, kQuads = Codes<kBits>::kQuads, kVectors = Codes<kBits>::kVectors;
  constexpr bool kBytes = Meaning<Panel>::kBytes;
  constexpr int kFit = kBytes ? 1 : kBits == 6 ? 2 : kBits == 5 ? 4 : 8;  // quads whose products add up in words
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i words = _mm256_setzero_si256();
  for (int64_t k = 0; k < columns; k += 4 * kQuads, codes += 64 * kVectors) {
    __m256i bytes[kVectors], quads[kQuads];
    for (int i = 0; i < kVectors; ++i) bytes[i] = load_dwords(codes + 64 * i);
    Codes<kBits>::template unpack<BytesAvx2>(bytes, quads);
    unroll<kQuads>([&](auto quad) {
      const __m256i four = broadcast4(x + k + 4 * quad);
      if constexpr (kBytes) {
        const __m256i q = _mm256_xor_si256(meaning.at(quads[quad]), _mm256_set1_epi8(-128));
        words = _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(four, q));
      } else {
        words = _mm256_add_epi16(words, _mm256_maddubs_epi16(quads[quad], four));
      }
      if (kFit == 8 || (quad + 1) % kFit != 0) return;
      isum = _mm256_add_epi32(isum, _mm256_madd_epi16(words, ones));
      words = _mm256_setzero_si256();
    });
  }
  if (kFit == 8) isum = _mm256_add_epi32(isum, _mm256_madd_epi16(words, ones));
}

inline void store_results(float* y, int64_t rows, __m256 low, __m256 high) {
  alignas(32) float block[16];
  float* to = rows < 16 ? block : y;
  _mm256_storeu_ps(to, low);
  _mm256_storeu_ps(to + 8, high);
  if (rows < 16) __builtin_memcpy(y, block, static_cast<size_t>(rows) * 4);
}

// Always inlined: g++ takes a function that only prefetches for one without effect, and drops calls of it.
inline __attribute__((always_inline)) void prefetch(const std::byte* at, int64_t bytes) {
  for (int64_t line = 0; line < bytes; line += 64) _mm_prefetch(reinterpret_cast<const char*>(at + line), _MM_HINT_T0);
}

template <class Panel, int kTokens>
inline void tile(const LinearArgs& args, int64_t panel, int64_t token) {
  constexpr int64_t kColumnsAhead = 256;
  constexpr int kSums = 2 * kTokens;  // number 2 t + h: token t, half h of the panel
  constexpr int kLeft = kTaken<Panel> - Panel::kOffset;
  const int64_t padded = Panel::padded(args.columns);
  const std::byte* scales = args.weights + panel * Panel::bytes(args.columns);
  const std::byte* codes = scales + Panel::head(args.columns);
  const int8_t* x = args.q.codes + token * args.q.code_stride;
  const int32_t* sums = args.q.sums + token * args.q.sum_stride;
  const float* x_scales = args.q.scales + token * args.q.scale_stride;
  Meaning<Panel> meaning[2];
  for (int half = 0; half < 2; ++half) meaning[half].load(scales, half);
  __m256 acc[kSums];
  unroll<kSums>([&](auto i) { acc[i] = _mm256_setzero_ps(); });
  for (int64_t block = 0; block < args.columns; block += kActivationBlock) {
    const int64_t block_end = block + kActivationBlock < padded ? block + kActivationBlock : padded;
    __m256 s[kSums];
    __m256i isum[kSums];
    int32_t xsum[kTokens] = {};
    const GroupScales<Panel> of_half[2] = {{scales, block, 0}, {scales, block, 1}};
    unroll<kSums>([&](auto i) {
      s[i] = _mm256_setzero_ps();
      isum[i] = _mm256_setzero_si256();
    });
    for (int64_t k = block; k < block_end; k += Panel::kStep) {
      const int64_t next = k + Panel::kStep < block_end ? k + Panel::kStep : block_end;
      const bool ends = Panel::kBlock && (next == block_end || at_group<Panel>(next));
      if (kTokens == 1) {
        prefetch(codes + (k + kColumnsAhead) * Panel::kColumnBytes, Panel::kStep * Panel::kColumnBytes);
        if (Panel::kBlock) prefetch(scales + Panel::fetch_at(k + kColumnsAhead), 1);
      }
      unroll<kTokens>([&](auto t) {
        xsum[t] += Panel::kStep == 16 ? sum_of_16(x + t * args.q.code_stride + k)
                                      : sums[t * args.q.sum_stride + k / kActivationGroup];
      });
      unroll<kSums>([&](auto i) {
        constexpr int kToken = i.kValue / 2, kHalf = i.kValue % 2;
        add_columns<Panel>(meaning[kHalf], codes + k * Panel::kColumnBytes + kHalf * 32,
                           x + kToken * args.q.code_stride + k, next - k, isum[i]);
        if (!ends) return;
        const __m256i left = _mm256_set1_epi32(kLeft * xsum[kToken]);
        const __m256 w_scale = of_half[kHalf].scale(scales, k, kHalf);
        s[i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_add_epi32(isum[i], left)), w_scale, s[i]);
        isum[i] = _mm256_setzero_si256();
        if (!Panel::kAffine) return;
        s[i] = of_half[kHalf].add_base(scales, k, kHalf, _mm256_set1_ps(static_cast<float>(xsum[kToken])), s[i]);
      });
      if (ends) unroll<kTokens>([&](auto t) { xsum[t] = 0; });
    }
    unroll<kSums>([&](auto i) {
      const __m256 x_scale = _mm256_set1_ps(x_scales[i / 2 * args.q.scale_stride + block / kActivationBlock]);
      const __m256i left = _mm256_set1_epi32(kLeft * xsum[i / 2]);  // channel layouts
      acc[i] =
          _mm256_fmadd_ps(Panel::kBlock ? s[i] : _mm256_cvtepi32_ps(_mm256_add_epi32(isum[i], left)), x_scale, acc[i]);
    });
  }
  unroll<kTokens>([&](auto t) {
    __m256 low = acc[2 * t], high = acc[2 * t + 1];
    if (!Panel::kBlock) {
      low = _mm256_mul_ps(low, Meaning<Panel>::row_scales(scales, 0));
      high = _mm256_mul_ps(high, Meaning<Panel>::row_scales(scales, 1));
    }
    store_results(args.y + (token + t) * args.y_stride + panel * 16, args.rows - panel * 16, low, high);
  });
}

template <class Panel>
inline void linear(const LinearArgs& args) {
  for (int64_t panel = args.panel_begin; panel < args.panel_end; ++panel) {
    int64_t token = 0;
    for (; token + 2 <= args.tokens; token += 2) tile<Panel, 2>(args, panel, token);
    if (token < args.tokens) tile<Panel, 1>(args, panel, token);
  }
}

}  // namespace

#define LINEAR_INT8(with, name, bits, group, kind)                 \
  void linear_##name##_panel16_int8_avx2(const LinearArgs& args) { \
    linear<PackedPanel<bits, group, CodeKind::kind>>(args);        \
  }
HALFTONE_INTEGER_LAYOUTS(LINEAR_INT8, )

#define LINEAR_BYTES(with, name, bits, rows, kind)                  \
  void linear_##name##_panel16_int8_avx2(const LinearArgs& args) {  \
    linear<BytePaletteOfRows<bits, rows, PaletteKind::kind>>(args); \
  }
HALFTONE_BYTE_PALETTES(LINEAR_BYTES, )

}  // namespace halftone
