// SPDX-License-Identifier: Apache-2.0
// int8 contract on AVX-512 VNNI: dwords of 4 unsigned codes times 4 activations broadcast from memory, 16 rows in
// lanes. Codes carry an offset, so integer sums start at -offset * sum(x), which the activations store per group of 32.
// A layout is one line at the end: its codes and the columns per scale.
#include "kernels/linear/int8_wide_avx512.h"

namespace halftone {
namespace {

constexpr int kTileTokens = 6;

template <class Codes, int kPanels, int kTokens>
inline void eight_columns(const std::byte* const (&codes)[kPanels], const int8_t* x, int64_t stride, int64_t k,
                          __m512i (&isum)[kPanels][kTokens]) {
  __m512i low[kPanels], high[kPanels];
  for (int p = 0; p < kPanels; ++p) Codes::load(codes[p] + k * Codes::kBytesPerColumn, low[p], high[p]);
#pragma GCC unroll 8
  for (int t = 0; t < kTokens; ++t) {
    const __m512i four = broadcast4(x + t * stride + k);
    for (int p = 0; p < kPanels; ++p) isum[p][t] = _mm512_dpbusd_epi32(isum[p][t], low[p], four);
  }
#pragma GCC unroll 8
  for (int t = 0; t < kTokens; ++t) {
    const __m512i four = broadcast4(x + t * stride + k + 4);
    for (int p = 0; p < kPanels; ++p) isum[p][t] = _mm512_dpbusd_epi32(isum[p][t], high[p], four);
  }
}

// One group of each panel, kColumnsAhead columns in front; at the end of a panel, the beginning of the panels that come
// next.
template <class Layout, int kPanels>
inline __attribute__((always_inline)) void prefetch_group(const std::byte* scales, int64_t padded, int64_t group) {
  using Codes = typename Layout::Codes;
  constexpr int64_t kColumnsAhead = 256;
  const int64_t scale_bytes = Layout::scale_bytes(padded), panel_bytes = Layout::panel_bytes(padded);
  const bool turn = group + kColumnsAhead >= padded;
  const int64_t column = group + kColumnsAhead - (turn ? padded & -32 : 0);
  const std::byte* ahead = scales + (turn ? kPanels * panel_bytes : 0);
  for (int p = 0; p < kPanels; ++p) {
    prefetch(ahead + p * panel_bytes + scale_bytes + column * Codes::kBytesPerColumn, 32 * Codes::kBytesPerColumn);
    if (Layout::kBlock) prefetch(ahead + p * panel_bytes + column / Layout::kSumColumns * 32, 1);
  }
}

// kFresh: these weights come from memory, not from a cache that an earlier tile filled.
template <class Layout, bool kFresh, int kPanels, int kTokens>
inline void tile(const LinearArgs& args, int64_t panel, int64_t token) {
  using Codes = typename Layout::Codes;
  constexpr bool kBlock = Layout::kBlock;
  const int64_t scale_bytes = Layout::scale_bytes(args.columns), panel_bytes = Layout::panel_bytes(args.columns);
  const int64_t padded = round_up_to(args.columns, 8);
  const std::byte *scales = args.weights + panel * panel_bytes, *codes[kPanels];
  for (int p = 0; p < kPanels; ++p) codes[p] = scales + p * panel_bytes + scale_bytes;
  const int8_t* x = args.q.codes + token * args.q.code_stride;
  const int32_t* sums = args.q.sums + token * args.q.sum_stride;
  const float* x_scales = args.q.scales + token * args.q.scale_stride;

  __m512 acc[kPanels][kTokens];
  for (int p = 0; p < kPanels; ++p) {
    for (int t = 0; t < kTokens; ++t) acc[p][t] = _mm512_setzero_ps();
  }
  for (int64_t block = 0; block < args.columns; block += kActivationBlock) {
    const int64_t block_end = block + kActivationBlock < padded ? block + kActivationBlock : padded;
    __m512 s[kPanels][kTokens];
    __m512i isum[kPanels][kTokens];
    for (int p = 0; p < kPanels; ++p) {
      for (int t = 0; t < kTokens; ++t) s[p][t] = _mm512_setzero_ps(), isum[p][t] = _mm512_setzero_si512();
    }
    for (int64_t group = block; group < block_end; group += kActivationGroup) {
      const bool first = group % Layout::kSumColumns == 0;
      const bool whole = (group + kActivationGroup) % Layout::kSumColumns == 0 || group + kActivationGroup >= block_end;
      if (kFresh) prefetch_group<Layout, kPanels>(scales, padded, group);
#pragma GCC unroll 8
      for (int t = 0; t < kTokens; ++t) {
        const __m512i sum = _mm512_set1_epi32(sums[t * args.q.sum_stride + group / kActivationGroup]);
        const __m512i correction = _mm512_slli_epi32(sum, Codes::kOffsetShift);
        for (int p = 0; p < kPanels; ++p) {
          isum[p][t] = _mm512_sub_epi32(first ? _mm512_setzero_si512() : isum[p][t], correction);
        }
      }
      if (group + kActivationGroup <= padded) {
#pragma GCC unroll 4
        for (int k = 0; k < 32; k += 8) eight_columns<Codes>(codes, x, args.q.code_stride, group + k, isum);
      } else {
        for (int64_t k = group; k < padded; k += 8) eight_columns<Codes>(codes, x, args.q.code_stride, k, isum);
      }
      if (!kBlock || !whole) continue;
      for (int p = 0; p < kPanels; ++p) {
        const __m512 w_scale = load_halves(scales + p * panel_bytes + group / Layout::kSumColumns * 32);
        for (int t = 0; t < kTokens; ++t) s[p][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum[p][t]), w_scale, s[p][t]);
      }
    }
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) {
      const __m512 x_scale = _mm512_set1_ps(x_scales[t * args.q.scale_stride + block / kActivationBlock]);
      for (int p = 0; p < kPanels; ++p) {
        acc[p][t] = _mm512_fmadd_ps(kBlock ? s[p][t] : _mm512_cvtepi32_ps(isum[p][t]), x_scale, acc[p][t]);
      }
    }
  }
  for (int p = 0; p < kPanels; ++p) {
    const __mmask16 lanes = lanes_of(args.rows, panel + p);
    for (int t = 0; t < kTokens; ++t) {
      const __m512 y = kBlock ? acc[p][t] : _mm512_mul_ps(acc[p][t], load_halves(scales + p * panel_bytes));
      _mm512_mask_storeu_ps(args.y + (token + t) * args.y_stride + (panel + p) * 16, lanes, y);
    }
  }
}

using TileFn = void (*)(const LinearArgs&, int64_t, int64_t);
template <class Layout, bool kFresh, int kPanels>
constexpr TileFn kTiles[kTileTokens] = {tile<Layout, kFresh, kPanels, 1>, tile<Layout, kFresh, kPanels, 2>,
                                        tile<Layout, kFresh, kPanels, 3>, tile<Layout, kFresh, kPanels, 4>,
                                        tile<Layout, kFresh, kPanels, 5>, tile<Layout, kFresh, kPanels, 6>};

inline void all_tokens(const LinearArgs& args, int64_t panel, const TileFn* first, const TileFn* next) {
  int64_t token = 0, tiles_left = (args.tokens + kTileTokens - 1) / kTileTokens;
  for (const TileFn* tiles = first; token < args.tokens; --tiles_left, tiles = next) {
    const int64_t count = (args.tokens - token + tiles_left - 1) / tiles_left;
    tiles[count - 1](args, panel, token);
    token += count;
  }
}

template <class Layout>
inline void linear(const LinearArgs& args) {
  // Unpacking pays when many tokens read what it stores.
  if (args.tokens > (Layout::Codes::kPlain ? kTileTokens : 32)) return wide<Layout>(args);
  constexpr const TileFn *kPair = kTiles<Layout, true, 2>, *kPairAgain = kTiles<Layout, false, 2>;
  constexpr const TileFn* kSingle = kTiles<Layout, true, 1>;
  int64_t panel = args.panel_begin;
  if (args.tokens == 1) {  // bound by memory: more panels in flight
    for (; panel + 4 <= args.panel_end; panel += 4) tile<Layout, true, 4, 1>(args, panel, 0);
  }
  for (; panel + 2 <= args.panel_end; panel += 2) all_tokens(args, panel, kPair, kPairAgain);
  if (panel < args.panel_end) all_tokens(args, panel, kSingle, kSingle);
}

}  // namespace

void linear_int8_channel_panel16_int8_avx512(const LinearArgs& args) { linear<IntegerLayout<Bytes, 0>>(args); }
void linear_int8_block32_panel16_int8_avx512(const LinearArgs& args) { linear<IntegerLayout<Bytes, 32>>(args); }
void linear_int4_channel_panel16_int8_avx512(const LinearArgs& args) { linear<IntegerLayout<Nibbles, 0>>(args); }
void linear_int4_block32_panel16_int8_avx512(const LinearArgs& args) { linear<IntegerLayout<Nibbles, 32>>(args); }

}  // namespace halftone
