// SPDX-License-Identifier: Apache-2.0
// Exact contract on AVX-512: 16 rows in lanes, one fma chain per (row, token), k ascending.
// Panels and up to 4 tokens, rows and one: weights are decoded in registers. Otherwise: chunks of columns are decoded
// to scratch (L1) once and meet every token of the batch there; y carries the sums from chunk to chunk.
#include "kernels/linear/linear_args.h"
#include "kernels/linear/panels_avx512.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

constexpr int64_t kFloatsOfChunk = kLinearChunkBytes / 4;
constexpr int64_t kTokensInCache = 96;  // x of so many tokens stays in L2 while all panels of the call meet them

inline __mmask16 lanes_of(const LinearArgs& args, int64_t panel) {
  const int64_t rows = args.rows - panel * 16;
  return rows >= 16 ? 0xffff : static_cast<__mmask16>((1u << rows) - 1);
}

inline float* result_at(const LinearArgs& args, int64_t token, int64_t panel) {
  return args.y + token * args.y_stride + panel * 16;
}

// kPanels panels and kTokens tokens straight from packed weights. Prefetches run kAhead columns in front, and at the
// end of a panel turn to the beginning of the panels that come next.
template <class Panel, int kPanels, int kTokens>
inline void few_tokens(const LinearArgs& args, int64_t panel) {
  const int64_t panel_bytes = Panel::bytes(args.columns), head = Panel::head(args.columns), stride = args.x_stride;
  const std::byte* first = args.weights + panel * panel_bytes;
  __m512 acc[kPanels * kTokens];
  unroll<kPanels * kTokens>([&](auto i) { acc[i] = _mm512_setzero_ps(); });
  int64_t k = 0;
  for (; k + 8 <= args.columns; k += 8) {
    const float* x = args.x + k;
    const bool turn = k + Panel::kAhead >= args.columns;
    const int64_t column = k + Panel::kAhead - (turn ? args.columns & -8 : 0);
    const std::byte* ahead = first + (turn ? kPanels * panel_bytes : 0);
    unroll<kPanels>([&](auto p) __attribute__((always_inline)) {
      prefetch(ahead + p * panel_bytes + head + column * Panel::kColumnBytes, 8 * Panel::kColumnBytes);
      if (Panel::kHasBlocks && k % 32 == 0) prefetch(ahead + p * panel_bytes + column, 1);
      __m512 w[8];
      Panel(first + p * panel_bytes, args.columns).eight(k, w);
      unroll<8 * kTokens>([&](auto i) __attribute__((always_inline)) {
        __m512& sum = acc[p * kTokens + i % kTokens];
        sum = _mm512_fmadd_ps(_mm512_set1_ps(x[i % kTokens * stride + i / kTokens]), w[i / kTokens], sum);
      });
    });
  }
  const int left = static_cast<int>(args.columns - k);
  unroll<kPanels>([&](auto p) {
    __m512 w[8];
    if (left > 0) Panel(first + p * panel_bytes, args.columns).some(k, left, w);
    unroll<kTokens>([&](auto t) {
      __m512& sum = acc[p * kTokens + t];
      for (int i = 0; i < left; ++i) sum = _mm512_fmadd_ps(_mm512_set1_ps(args.x[t * stride + k + i]), w[i], sum);
      _mm512_mask_storeu_ps(result_at(args, t, panel + p), lanes_of(args, panel + p), sum);
    });
  });
}

// Columns [begin, end) of a panel as f32 [k][16]. begin is a multiple of 8.
template <class Panel, int>
inline void decode_panel(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end, float* out) {
  const int64_t bytes = Panel::bytes(args.columns);
  const std::byte* first = args.weights + panel * bytes;
  prefetch(first + bytes * end / args.columns, bytes * (end - begin) / args.columns);  // about the next chunk
  const Panel weights(first, args.columns);
  __m512 w[8];
  int64_t k = begin;
  for (; k + 8 <= end; k += 8) {
    weights.eight(k, w);
    for (int i = 0; i < 8; ++i) _mm512_store_ps(out + (k - begin + i) * 16, w[i]);
  }
  if (k < end) {
    weights.some(k, static_cast<int>(end - k), w);
    for (int i = 0; i < end - k; ++i) _mm512_store_ps(out + (k - begin + i) * 16, w[i]);
  }
}

// Elements of Order::rows: 16 columns of one row, the first `n` of them.
struct F32Rows {
  static constexpr int64_t kBytes = 4;
  static __m512 load(const std::byte* at, int64_t n) {
    return n >= 16 ? _mm512_loadu_ps(at) : _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), at);
  }
};
inline __m256i load_words(const std::byte* at, int64_t n) {
  return n >= 16 ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at))
                 : _mm256_maskz_loadu_epi16(static_cast<__mmask16>((1u << n) - 1), at);
}
struct F16Rows {
  static constexpr int64_t kBytes = 2;
  static __m512 load(const std::byte* at, int64_t n) { return _mm512_cvtph_ps(load_words(at, n)); }
};
struct Bf16Rows {
  static constexpr int64_t kBytes = 2;
  static __m512 load(const std::byte* at, int64_t n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_words(at, n)), 16));
  }
};

// Rows in registers become columns in registers: pairs, quads, then 128-bit lanes.
inline void transpose(__m512 (&r)[16]) {
  __m512 t[16];
  for (int i = 0; i < 16; i += 4) {
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(r[i], r[i + 1]));
    const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(r[i], r[i + 1]));
    const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(r[i + 2], r[i + 3]));
    const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(r[i + 2], r[i + 3]));
    t[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    t[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    t[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    t[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
  }
  for (int i = 0; i < 4; ++i) {
    const __m512 a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
    const __m512 c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
    const __m512 d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
    r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
    r[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
    r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
  }
}

// 64 bytes of 16 rows. kWhole: all rows exist and `n` columns fill the 64 bytes. `ahead` is what to prefetch, from each
// row's address.
template <class Rows, bool kWhole>
inline void load_block(const std::byte* at, int64_t row_bytes, int64_t last_row, int64_t n, int64_t ahead,
                       __m512 (&columns)[4 / Rows::kBytes][16]) {
  for (int64_t r = 0; r < 16; ++r) {
    _mm_prefetch(reinterpret_cast<const char*>(at + ahead), _MM_HINT_T1);
    for (int64_t part = 0; part < 4 / Rows::kBytes; ++part) {
      const int64_t left = kWhole ? 16 : n - part * 16;
      if (left > 0) columns[part][r] = Rows::load(at + part * 16 * Rows::kBytes, left);
    }
    if (kWhole || r < last_row) at += row_bytes;
  }
}

// 64 bytes of each row at a time: rows are often a multiple of 4096 bytes apart, so 16 lines compete for the 12 places
// of one L1 set and none would still be there for a second visit. For the same reason prefetches go to L2. At the end
// of the rows they turn to those of the panels that come next.
template <class Rows, int kPanels>
inline void decode_rows(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end, float* out) {
  constexpr int64_t kAheadBytes = 1024, kParts = 4 / Rows::kBytes, kStep = 16 * kParts;
  const int64_t row_bytes = args.columns * Rows::kBytes;
  const std::byte* first = args.weights + panel * 16 * row_bytes;
  const int64_t last_row = args.rows - panel * 16 - 1;  // rows beyond it repeat it; their results are masked away
  for (int64_t k = begin; k < end; k += kStep) {
    const bool turn = k * Rows::kBytes + kAheadBytes >= row_bytes;
    const int64_t ahead = kAheadBytes + (turn ? (kPanels * 16 - 1) * row_bytes : 0);
    const std::byte* at = first + k * Rows::kBytes;
    __m512 columns[kParts][16];
    if (last_row >= 15 && end - k >= kStep) {
      load_block<Rows, true>(at, row_bytes, last_row, kStep, ahead, columns);
      unroll<kParts>([&](auto part) {
        transpose(columns[part]);
        for (int64_t i = 0; i < 16; ++i) _mm512_store_ps(out + (k - begin + part * 16 + i) * 16, columns[part][i]);
      });
      continue;
    }
    load_block<Rows, false>(at, row_bytes, last_row, end - k, ahead, columns);
    unroll<kParts>([&](auto part) {
      const int64_t column = k + part * 16;
      if (column >= end) return;
      transpose(columns[part]);
      for (int64_t i = 0; i < 16 && column + i < end; ++i) {
        _mm512_store_ps(out + (column - begin + i) * 16, columns[part][i]);
      }
    });
  }
}

// One panel of rows and one token: columns meet x in the registers where the transposition left them.
template <class Rows>
inline void one_token_rows(const LinearArgs& args, int64_t panel) {
  constexpr int64_t kAheadBytes = 2048, kParts = 4 / Rows::kBytes, kStep = 16 * kParts;
  const int64_t row_bytes = args.columns * Rows::kBytes, last_row = args.rows - panel * 16 - 1;
  const std::byte* at = args.weights + panel * 16 * row_bytes;
  __m512 acc = _mm512_setzero_ps();
  for (int64_t k = 0; k < args.columns; k += kStep, at += 64) {
    const bool turn = k * Rows::kBytes + kAheadBytes >= row_bytes;
    const int64_t ahead = kAheadBytes + (turn ? 15 * row_bytes : 0), left = args.columns - k;
    const float* x = args.x + k;
    __m512 columns[kParts][16];
    if (last_row >= 15 && left >= kStep) {
      load_block<Rows, true>(at, row_bytes, last_row, kStep, ahead, columns);
      unroll<kParts>([&](auto part) __attribute__((always_inline)) {
        transpose(columns[part]);
        unroll<16>([&](auto i) __attribute__((always_inline)) {
          acc = _mm512_fmadd_ps(_mm512_set1_ps(x[part * 16 + i]), columns[part][i], acc);
        });
      });
      continue;
    }
    load_block<Rows, false>(at, row_bytes, last_row, left, ahead, columns);
    for (int64_t part = 0; part * 16 < left && part < kParts; ++part) {
      transpose(columns[part]);
      for (int64_t i = 0; i < 16 && part * 16 + i < left; ++i) {
        acc = _mm512_fmadd_ps(_mm512_set1_ps(x[part * 16 + i]), columns[part][i], acc);
      }
    }
  }
  _mm512_mask_storeu_ps(result_at(args, 0, panel), lanes_of(args, panel), acc);
}

// kPanels panels of decoded weights, `stride` floats apart, times kTokens tokens; columns [begin, end).
template <int kPanels, int kTokens>
inline void tile(const LinearArgs& args, const float* weights, int64_t stride, int64_t panel, int64_t token,
                 int64_t begin, int64_t end) {
  __m512 acc[kPanels][kTokens];
  for (int p = 0; p < kPanels; ++p) {
    for (int t = 0; t < kTokens; ++t) {
      acc[p][t] = begin == 0 ? _mm512_setzero_ps()
                             : _mm512_maskz_loadu_ps(lanes_of(args, panel + p), result_at(args, token + t, panel + p));
    }
  }
  const float* x = args.x + token * args.x_stride + begin;
  for (int64_t k = 0; k < end - begin; ++k, weights += 16) {
    __m512 w[kPanels];
    for (int p = 0; p < kPanels; ++p) w[p] = _mm512_load_ps(weights + p * stride);
#pragma GCC unroll 12
    for (int t = 0; t < kTokens; ++t) {
      const __m512 xt = _mm512_set1_ps(x[t * args.x_stride + k]);
      for (int p = 0; p < kPanels; ++p) acc[p][t] = _mm512_fmadd_ps(xt, w[p], acc[p][t]);
    }
  }
  for (int p = 0; p < kPanels; ++p) {
    for (int t = 0; t < kTokens; ++t) {
      _mm512_mask_storeu_ps(result_at(args, token + t, panel + p), lanes_of(args, panel + p), acc[p][t]);
    }
  }
}

using TileFn = void (*)(const LinearArgs&, const float*, int64_t, int64_t, int64_t, int64_t, int64_t);
template <int kPanels>
constexpr TileFn kTiles[12] = {tile<kPanels, 1>, tile<kPanels, 2>,  tile<kPanels, 3>,  tile<kPanels, 4>,
                               tile<kPanels, 5>, tile<kPanels, 6>,  tile<kPanels, 7>,  tile<kPanels, 8>,
                               tile<kPanels, 9>, tile<kPanels, 10>, tile<kPanels, 11>, tile<kPanels, 12>};

using DecodeFn = void (*)(const LinearArgs&, int64_t, int64_t, int64_t, float*);

// Panels [panel, panel + kPanels) and tokens [token, token_end), decoded chunk by chunk.
template <DecodeFn kDecode, int kPanels>
inline void chunked(const LinearArgs& args, int64_t panel, int64_t token, int64_t token_end, const TileFn* tiles) {
  constexpr int64_t kStride = kFloatsOfChunk / kPanels, kColumns = kStride / 16;
  auto* scratch = reinterpret_cast<float*>(args.scratch);
  for (int64_t begin = 0; begin < args.columns; begin += kColumns) {
    const int64_t end = begin + kColumns < args.columns ? begin + kColumns : args.columns;
    for (int p = 0; p < kPanels; ++p) kDecode(args, panel + p, begin, end, scratch + p * kStride);
    int64_t tiles_left = (token_end - token + 11) / 12;
    for (int64_t t = token; t < token_end; --tiles_left) {
      const int64_t count = (token_end - t + tiles_left - 1) / tiles_left;
      tiles[count - 1](args, scratch, kStride, panel, t, begin, end);
      t += count;
    }
  }
}

template <DecodeFn kDecodePair, DecodeFn kDecodeOne>
inline void many_tokens(const LinearArgs& args) {
  for (int64_t token = 0; token < args.tokens; token += kTokensInCache) {
    const int64_t token_end = token + kTokensInCache < args.tokens ? token + kTokensInCache : args.tokens;
    int64_t panel = args.panel_begin;
    for (; panel + 2 <= args.panel_end; panel += 2) chunked<kDecodePair, 2>(args, panel, token, token_end, kTiles<2>);
    if (panel < args.panel_end) chunked<kDecodeOne, 1>(args, panel, token, token_end, kTiles<1>);
  }
}

template <class Rows>
inline void linear_rows(const LinearArgs& args) {
  if (args.tokens > 1) return many_tokens<decode_rows<Rows, 2>, decode_rows<Rows, 1>>(args);
  for (int64_t panel = args.panel_begin; panel < args.panel_end; ++panel) one_token_rows<Rows>(args, panel);
}

// Sums in flight: at least 8 hide the latency of a fma.
template <class Panel, int kTokens>
inline void few(const LinearArgs& args) {
  constexpr int kPanels = kTokens <= 2 ? 4 : 2;
  int64_t panel = args.panel_begin;
  for (; panel + kPanels <= args.panel_end; panel += kPanels) few_tokens<Panel, kPanels, kTokens>(args, panel);
  for (; panel + 2 <= args.panel_end; panel += 2) few_tokens<Panel, 2, kTokens>(args, panel);
  if (panel < args.panel_end) few_tokens<Panel, 1, kTokens>(args, panel);
}

template <class Panel>
inline void linear_panels(const LinearArgs& args) {
  switch (args.tokens) {
    case 1:
      return few<Panel, 1>(args);
    case 2:
      return few<Panel, 2>(args);
    case 3:
      return few<Panel, 3>(args);
    case 4:
      return few<Panel, 4>(args);
    default:
      return many_tokens<decode_panel<Panel, 2>, decode_panel<Panel, 1>>(args);
  }
}

}  // namespace

void linear_f32_rows_exact_avx512(const LinearArgs& args) { linear_rows<F32Rows>(args); }
void linear_f16_rows_exact_avx512(const LinearArgs& args) { linear_rows<F16Rows>(args); }
void linear_bf16_rows_exact_avx512(const LinearArgs& args) { linear_rows<Bf16Rows>(args); }
void linear_f32_panel16_exact_avx512(const LinearArgs& args) { linear_panels<F32Panel>(args); }
void linear_f16_panel16_exact_avx512(const LinearArgs& args) { linear_panels<F16Panel>(args); }
void linear_bf16_panel16_exact_avx512(const LinearArgs& args) { linear_panels<Bf16Panel>(args); }
void linear_int8_channel_panel16_exact_avx512(const LinearArgs& args) { linear_panels<Int8Panel<false>>(args); }
void linear_int8_block32_panel16_exact_avx512(const LinearArgs& args) { linear_panels<Int8Panel<true>>(args); }
void linear_int4_channel_panel16_exact_avx512(const LinearArgs& args) { linear_panels<Int4Panel<false>>(args); }
void linear_int4_block32_panel16_exact_avx512(const LinearArgs& args) { linear_panels<Int4Panel<true>>(args); }

}  // namespace halftone
