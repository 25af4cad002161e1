// SPDX-License-Identifier: Apache-2.0
// Exact contract on AVX-512: 16 rows in lanes, one fma chain per (row, token), k ascending.
// Up to 12 tokens: weights are decoded in registers and meet all tokens there, while the next ones stream in.
// More: chunks of columns are decoded to scratch (L1) once and meet every token of the batch there; y carries the sums
// from chunk to chunk, and x is gathered in scratch (L2): rows of x are often a multiple of 4096 bytes apart.
#include "kernels/linear/linear_args.h"
#include "kernels/linear/palettes_avx512.h"
#include "kernels/linear/panels_avx512.h"
#include "kernels/linear/registers_avx512.h"
#include "kernels/linear/rows_avx512.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

constexpr int64_t kTileTokens = 12;
constexpr int64_t kChunkColumns = 256;
constexpr int64_t kChunkFloats = kChunkColumns * 16;  // of one panel
constexpr int64_t kXStride = kLinearTokenFloats;
static_assert(2 * kChunkFloats * 4 <= kLinearChunkBytes && kChunkColumns <= kXStride);

// kPanels panels from `panel` and kTokens tokens straight from packed weights. Prefetches run kAhead columns in front,
// and at the end of a panel turn to the beginning of the panels that come next.
template <class Panel, int kPanels, int kTokens>
inline void few_tokens(const LinearArgs& args, int64_t panel) {
  const int64_t panel_bytes = Panel::bytes(args.columns), head = Panel::head(args.columns);
  int64_t panels[kPanels];
  const std::byte* first[kPanels];
#pragma GCC unroll 4
  for (int p = 0; p < kPanels; ++p) {
    panels[p] = panel + p < args.panel_end ? panel + p : args.panel_end - 1;
    first[p] = args.weights + panels[p] * panel_bytes;
  }
  __m512 acc[kTokens][kPanels];
  clear(acc);
  Tokens<kTokens> x(args.x, args.x_stride, args.tokens);
  int64_t k = 0;
  for (; k + 8 <= args.columns; k += 8, x.advance(8)) {
    const bool turn = k + Panel::kAhead >= args.columns;
    const int64_t column = k + Panel::kAhead - (turn ? args.columns & -8 : 0);
    const int64_t ahead = turn ? kPanels * panel_bytes : 0;
    typename Panel::Eight eight[kPanels];
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) {
      prefetch(first[p] + ahead + head + column * Panel::kColumnBytes, 8 * Panel::kColumnBytes);
      if (Panel::kHasBlocks && k % 32 == 0) prefetch(first[p] + ahead + Panel::fetch_at(column), 1);
      eight[p] = Panel(first[p], args).eight(k);
    }
    unroll<8>([&](auto i) __attribute__((always_inline)) {
      __m512 w[kPanels];
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) w[p] = eight[p].template column<i.kValue>();
      meet(acc, w, x, i);
    });
  }
  const int left = static_cast<int>(args.columns - k);
  if (left > 0) {
    alignas(64) float rest[kPanels][8 * 16];
    for (int p = 0; p < kPanels; ++p) Panel(first[p], args).some(k, left, rest[p]);
    for (int i = 0; i < left; ++i) {
      __m512 w[kPanels];
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) w[p] = _mm512_load_ps(rest[p] + i * 16);
      meet(acc, w, x, i);
    }
  }
  store(args, acc, x, panels);
}

template <class Rows>
inline __attribute__((always_inline)) void store_columns(const __m512i (&raw)[16], float* out) {
  unroll<64 / Rows::kBytes>([&](auto i) __attribute__((always_inline)) {
    _mm512_store_ps(out + i * 16, Rows::template column<i.kValue>(raw));
  });
}

// One panel of rows and kTokens tokens: columns meet x in the registers where the transposition left them. At the end
// of the rows, prefetches turn to those of the next panel.
template <class Rows, int kTokens>
inline void few_tokens_rows(const LinearArgs& args, int64_t panel) {
  constexpr int64_t kAheadBytes = 2048, kStep = 64 / Rows::kBytes;
  const int64_t row_bytes = args.columns * Rows::kBytes, last_row = args.rows - panel * 16 - 1;
  const std::byte* at = args.weights + panel * 16 * row_bytes;
  __m512 acc[kTokens][1];
  clear(acc);
  Tokens<kTokens> x(args.x, args.x_stride, args.tokens);
  for (int64_t k = 0; k < args.columns; k += kStep, at += 64, x.advance(kStep)) {
    const bool turn = k * Rows::kBytes + kAheadBytes >= row_bytes;
    const int64_t ahead = kAheadBytes + (turn ? 15 * row_bytes : 0), left = args.columns - k;
    __m512i raw[16];
    if (last_row >= 15 && left >= kStep) {
      load_rows<true, true>(at, row_bytes, last_row, 64, ahead, raw);
      Rows::transpose(raw);
      unroll<kStep>([&](auto i) __attribute__((always_inline)) {
        const __m512 w[1] = {Rows::template column<i.kValue>(raw)};
        meet(acc, w, x, i);
      });
      continue;
    }
    alignas(64) float columns[kStep * 16];
    load_rows<false, true>(at, row_bytes, last_row, left < kStep ? left * Rows::kBytes : 64, ahead, raw);
    Rows::transpose(raw);
    store_columns<Rows>(raw, columns);
    for (int64_t i = 0; i < kStep && i < left; ++i) {
      const __m512 w[1] = {_mm512_load_ps(columns + i * 16)};
      meet(acc, w, x, i);
    }
  }
  const int64_t panels[1] = {panel};
  store(args, acc, x, panels);
}

// Lines of memory that are fetched one by one while other columns are computed, so that they never queue up: line j is
// at first + (j & mask) * major + (j >> shift) * 64.
struct Ahead {
  const std::byte* first;
  int64_t major, mask, shift, begin, end;
  __attribute__((always_inline)) void fetch(int64_t k) const {  // else g++ drops calls of it, as of prefetch()
    const int64_t j = begin + k;
    if (j >= end) return;
    _mm_prefetch(reinterpret_cast<const char*>(first + (j & mask) * major + (j >> shift) * 64), _MM_HINT_T1);
  }
};

// What a tile fetches for those that follow.
struct Next {
  Ahead weights, x;
};

// What chunks are decoded from. ahead: the lines of columns [begin, end) of two panels. decode: columns [begin, end) of
// a panel as f32 [k][16], begin a multiple of 8.
template <class Panel>
struct FromPanels {
  static Ahead ahead(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end) {
    const int64_t bytes = Panel::bytes(args.columns), lines = ((end - begin) * Panel::kColumnBytes + 63) / 64;
    return {args.weights + panel * bytes + Panel::head(args.columns) + begin * Panel::kColumnBytes,
            bytes,
            1,
            1,
            0,
            2 * lines};
  }
  static void decode(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end, float* out) {
    const Panel weights(args.weights + panel * Panel::bytes(args.columns), args);
    int64_t k = begin;
    for (; k + 8 <= end; k += 8, out += 8 * 16) {
      const auto eight = weights.eight(k);
      unroll<8>([&](auto i) __attribute__((always_inline)) {
        _mm512_store_ps(out + i * 16, eight.template column<i.kValue>());
      });
    }
    if (k < end) weights.some(k, static_cast<int>(end - k), out);
  }
};

template <class Rows>
struct FromRows {
  static Ahead ahead(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end) {
    const int64_t row_bytes = args.columns * Rows::kBytes, lines = ((end - begin) * Rows::kBytes + 63) / 64;
    return {args.weights + panel * 16 * row_bytes + begin * Rows::kBytes, row_bytes, 31, 5, 0, 32 * lines};
  }
  static void decode(const LinearArgs& args, int64_t panel, int64_t begin, int64_t end, float* out) {
    constexpr int64_t kStep = 64 / Rows::kBytes;
    const int64_t row_bytes = args.columns * Rows::kBytes, last_row = args.rows - panel * 16 - 1;
    const std::byte* at = args.weights + panel * 16 * row_bytes + begin * Rows::kBytes;
    for (int64_t k = begin; k < end; k += kStep, at += 64, out += kStep * 16) {
      __m512i raw[16];
      if (last_row >= 15 && end - k >= kStep) {
        load_rows<true, false>(at, row_bytes, last_row, 64, 0, raw);
      } else {
        load_rows<false, false>(at, row_bytes, last_row, end - k < kStep ? (end - k) * Rows::kBytes : 64, 0, raw);
      }
      Rows::transpose(raw);
      store_columns<Rows>(raw, out);
    }
  }
};

// Two panels of decoded weights (the same one twice where only one is left) times kTokens tokens of packed x; sums over
// `columns` are added to y unless `fresh`.
template <int kTokens>
void tile(const LinearArgs& args, const float* weights, const float* x, const int64_t (&panels)[2], int64_t token,
          int64_t columns, bool fresh, const Next& next) {
  __m512 acc[2][kTokens];
  float* y[2];
  __mmask16 lanes[2];
#pragma GCC unroll 2
  for (int p = 0; p < 2; ++p) {
    y[p] = args.y + token * args.y_stride + panels[p] * 16;
    lanes[p] = lanes_of(args, panels[p]);
    const __mmask16 read = fresh ? 0 : lanes[p];
#pragma GCC unroll 12
    for (int t = 0; t < kTokens; ++t) acc[p][t] = _mm512_maskz_loadu_ps(read, y[p] + t * args.y_stride);
  }
  for (int64_t k = 0; k < columns; ++k, weights += 16, ++x) {
    next.weights.fetch(k);
    next.x.fetch(k);
    const __m512 w0 = _mm512_load_ps(weights), w1 = _mm512_load_ps(weights + kChunkFloats);
#pragma GCC unroll 12
    for (int t = 0; t < kTokens; ++t) {
      const __m512 xt = _mm512_set1_ps(x[t * kXStride]);
      acc[0][t] = _mm512_fmadd_ps(xt, w0, acc[0][t]);
      acc[1][t] = _mm512_fmadd_ps(xt, w1, acc[1][t]);
    }
  }
#pragma GCC unroll 2
  for (int p = 0; p < 2; ++p) {
#pragma GCC unroll 12
    for (int t = 0; t < kTokens; ++t) _mm512_mask_storeu_ps(y[p] + t * args.y_stride, lanes[p], acc[p][t]);
  }
}

using TileFn = void (*)(const LinearArgs&, const float*, const float*, const int64_t (&)[2], int64_t, int64_t, bool,
                        const Next&);
constexpr TileFn kTiles[kTileTokens] = {tile<1>, tile<2>, tile<3>, tile<4>,  tile<5>,  tile<6>,
                                        tile<7>, tile<8>, tile<9>, tile<10>, tile<11>, tile<12>};

struct Block {
  int64_t token, token_end, begin, end;  // tokens and columns
};

// Two panels and one block; `next` is fetched meanwhile, a share with every tile.
template <class Source>
inline void meet_tokens(const LinearArgs& args, const Block& block, int64_t panel, const float* x, const Next& next) {
  auto* weights = reinterpret_cast<float*>(args.scratch);
  const int64_t panels[2] = {panel, panel + 1 < args.panel_end ? panel + 1 : panel};
  for (int p = 0; p < 2; ++p) Source::decode(args, panels[p], block.begin, block.end, weights + p * kChunkFloats);
  const int64_t count = block.token_end - block.token, tiles = (count + kTileTokens - 1) / kTileTokens;
  int64_t t = 0;
  for (int64_t i = 0; i < tiles; ++i) {
    Next share = next;
    share.weights.begin = next.weights.end * i / tiles;
    share.weights.end = next.weights.end * (i + 1) / tiles;
    share.x.first += t * next.x.major;
    const int64_t tokens = (count - t + tiles - i - 1) / (tiles - i);
    kTiles[tokens - 1](args, weights, x + t * kXStride, panels, block.token + t, block.end - block.begin,
                       block.begin == 0, share);
    t += tokens;
  }
}

inline void pack_tokens(const LinearArgs& args, const Block& block, float* out) {
  for (int64_t t = block.token; t < block.token_end; ++t, out += kXStride) {
    const float* x = args.x + t * args.x_stride + block.begin;
    const int64_t columns = block.end - block.begin;
    int64_t k = 0;
    for (; k + 16 <= columns; k += 16) _mm512_store_ps(out + k, _mm512_loadu_ps(x + k));
    if (k < columns) {
      const auto rest = static_cast<__mmask16>((1u << (columns - k)) - 1);
      _mm512_store_ps(out + k, _mm512_maskz_loadu_ps(rest, x + k));
    }
  }
}

// Share `part` of `parts` of the x that pack_tokens will read at column `begin`, for the first 16 tokens of the block.
inline Ahead tokens_ahead(const LinearArgs& args, const Block& block, int64_t begin, int64_t part, int64_t parts) {
  constexpr int64_t kLines = kChunkColumns / 16;
  const float* first = args.x + block.token * args.x_stride + begin;
  return {reinterpret_cast<const std::byte*>(first), args.x_stride * 4, 15, 4, kLines * part / parts * 16,
          kLines * (part + 1) / parts * 16};
}

inline void advance(const LinearArgs& args, Block& block) {
  block.begin = block.end;
  block.end = block.begin + kChunkColumns < args.columns ? block.begin + kChunkColumns : args.columns;
}

// x of few tokens is gathered whole; panels are then read from end to end.
template <class Source>
inline void panel_by_panel(const LinearArgs& args) {
  auto* x = reinterpret_cast<float*>(args.scratch + kLinearChunkBytes);
  const Block start = {0, args.tokens, 0, 0};
  Block block = start;
  for (float* at = x; block.end < args.columns; at += args.tokens * kXStride) {
    advance(args, block);
    pack_tokens(args, block, at);
  }
  for (int64_t panel = args.panel_begin; panel < args.panel_end; panel += 2) {
    const float* at = x;
    for (block = start; block.end < args.columns; at += args.tokens * kXStride) {
      advance(args, block);
      Block next = block.end < args.columns ? block : start;
      advance(args, next);
      const int64_t next_panel = block.end < args.columns ? panel : panel + 2;
      meet_tokens<Source>(args, block, panel, at, {Source::ahead(args, next_panel, next.begin, next.end), {}});
    }
  }
}

// x of many tokens is gathered chunk by chunk; all panels meet a chunk while it is in the cache.
template <class Source>
inline void chunk_by_chunk(const LinearArgs& args) {
  auto* x = reinterpret_cast<float*>(args.scratch + kLinearChunkBytes);
  const int64_t pairs = (args.panel_end - args.panel_begin + 1) / 2;
  int64_t blocks = (args.tokens + kLinearTokens - 1) / kLinearTokens;
  for (Block block = {0, 0, 0, 0}; blocks > 0; --blocks) {
    block = {block.token_end, block.token_end + (args.tokens - block.token_end + blocks - 1) / blocks, 0, 0};
    while (block.end < args.columns) {
      advance(args, block);
      pack_tokens(args, block, x);
      Block next = block;
      if (block.end == args.columns) next.end = 0;  // the next call begins there
      advance(args, next);
      for (int64_t pair = 0; pair < pairs; ++pair) {
        const bool last = pair + 1 == pairs;
        const Block& of = last ? next : block;
        const int64_t panel = args.panel_begin + 2 * pair, next_panel = last ? args.panel_begin : panel + 2;
        meet_tokens<Source>(
            args, block, panel, x,
            {Source::ahead(args, next_panel, of.begin, of.end), tokens_ahead(args, block, next.begin, pair, pairs)});
      }
    }
  }
}

template <class Source>
inline void many_tokens(const LinearArgs& args) {
  const int64_t chunks = (args.columns + kChunkColumns - 1) / kChunkColumns;
  chunks* args.tokens <= kLinearTokens ? panel_by_panel<Source>(args) : chunk_by_chunk<Source>(args);
}

template <class Panel, int kPanels, int kTokens>
void few(const LinearArgs& args) {
  for (int64_t panel = args.panel_begin; panel < args.panel_end; panel += kPanels) {
    few_tokens<Panel, kPanels, kTokens>(args, panel);
  }
}

template <class Rows, int kTokens>
void few_rows(const LinearArgs& args) {
  for (int64_t panel = args.panel_begin; panel < args.panel_end; ++panel) few_tokens_rows<Rows, kTokens>(args, panel);
}

template <class Rows>
inline void linear_rows(const LinearArgs& args) {
  if (args.tokens == 1) return few_rows<Rows, 1>(args);
  if (args.tokens <= 4) return args.tokens == 2 ? few_rows<Rows, 2>(args) : few_rows<Rows, 4>(args);
  if (args.tokens <= 8) return args.tokens <= 6 ? few_rows<Rows, 6>(args) : few_rows<Rows, 8>(args);
  return args.tokens <= kTileTokens ? few_rows<Rows, kTileTokens>(args) : many_tokens<FromRows<Rows>>(args);
}

// Sums in flight: at least 8 hide the latency of a fma.
template <class Panel>
inline void linear_panels(const LinearArgs& args) {
  if (args.tokens == 1) return few<Panel, 4, 1>(args);
  if constexpr (!Panel::kSeldom) {
    if (args.tokens <= 4) return args.tokens == 2 ? few<Panel, 4, 2>(args) : few<Panel, 2, 4>(args);
    if (args.tokens <= 8) return args.tokens <= 6 ? few<Panel, 2, 6>(args) : few<Panel, 2, 8>(args);
    if (args.tokens <= kTileTokens) return few<Panel, 2, kTileTokens>(args);
  }
  many_tokens<FromPanels<Panel>>(args);
}

}  // namespace

void linear_f32_rows_exact_avx512(const LinearArgs& args) { linear_rows<F32Rows>(args); }
void linear_f16_rows_exact_avx512(const LinearArgs& args) { linear_rows<F16Rows>(args); }
void linear_bf16_rows_exact_avx512(const LinearArgs& args) { linear_rows<Bf16Rows>(args); }
void linear_f32_panel16_exact_avx512(const LinearArgs& args) { linear_panels<F32Panel>(args); }
void linear_f16_panel16_exact_avx512(const LinearArgs& args) { linear_panels<F16Panel>(args); }
void linear_bf16_panel16_exact_avx512(const LinearArgs& args) { linear_panels<Bf16Panel>(args); }

#define LINEAR_EXACT(with, name, bits, group, kind)                               \
  void linear_##name##_panel16_exact_avx512(const LinearArgs& args) {             \
    linear_panels<PanelOf<PackedPanel<bits, group, CodeKind::kind>>::Type>(args); \
  }
HALFTONE_INTEGER_LAYOUTS(LINEAR_EXACT, )

#define LINEAR_PALETTE(with, name, bits, rows, kind)                                 \
  void linear_##name##_panel16_exact_avx512(const LinearArgs& args) {                \
    linear_panels<PalettePanel<PaletteOfRows<bits, rows, PaletteKind::kind>>>(args); \
  }
HALFTONE_PALETTE_LAYOUTS(LINEAR_PALETTE, )

#define LINEAR_VECTORS(with, name, bits, vector, rows, kind)             \
  void linear_##name##_panel16_exact_avx512(const LinearArgs& args) {    \
    using Packed = VectorPalette<bits, vector, rows, PaletteKind::kind>; \
    linear_panels<VectorPanel<Packed>>(behind_head<Packed>(args));       \
  }
HALFTONE_VECTOR_LAYOUTS(LINEAR_VECTORS, )

}  // namespace halftone
