// SPDX-License-Identifier: Apache-2.0
// int8 contract on AVX-512 VNNI: dwords of 4 unsigned codes times 4 activations broadcast from memory, 16 rows in
// lanes. Codes carry an offset, so integer sums start at -offset * sum(x), which the activations store per group of 32.
#include "kernels/linear/linear_args.h"
#include "kernels/linear/panels_avx512.h"

namespace halftone {
namespace {

constexpr int64_t kTokensInCache =
    96;  // activations of so many tokens stay in L2 while all panels of the call meet them

inline __m512i broadcast4(const int8_t* at) {
  int32_t four;
  __builtin_memcpy(&four, at, 4);
  return _mm512_set1_epi32(four);
}

// How the codes of 8 columns become two vectors of dwords.
struct Nibbles {
  static constexpr int64_t kBytesPerColumn = 8;
  static constexpr int kOffsetShift = 3;
  static void load(const std::byte* at, __m512i& low, __m512i& high) {
    const __m512i mask = _mm512_set1_epi8(15), both = load_codes(at);
    low = _mm512_and_si512(both, mask);
    high = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
  }
};
struct Bytes {
  static constexpr int64_t kBytesPerColumn = 16;
  static constexpr int kOffsetShift = 7;
  static void load(const std::byte* at, __m512i& low, __m512i& high) {
    low = load_codes(at);
    high = load_codes(at + 64);
  }
};

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
template <class Codes, bool kBlock, int kPanels>
inline __attribute__((always_inline)) void prefetch_group(const std::byte* scales, int64_t padded, int64_t group) {
  constexpr int64_t kColumnsAhead = 256;
  const int64_t scale_bytes = scale_bytes_of(padded, kBlock);
  const int64_t panel_bytes = scale_bytes + padded * Codes::kBytesPerColumn;
  const bool turn = group + kColumnsAhead >= padded;
  const int64_t column = group + kColumnsAhead - (turn ? padded & -32 : 0);
  const std::byte* ahead = scales + (turn ? kPanels * panel_bytes : 0);
  for (int p = 0; p < kPanels; ++p) {
    prefetch(ahead + p * panel_bytes + scale_bytes + column * Codes::kBytesPerColumn, 32 * Codes::kBytesPerColumn);
    if (kBlock) prefetch(ahead + p * panel_bytes + column, 1);
  }
}

// kFresh: these weights come from memory, not from a cache that an earlier tile filled.
template <class Codes, bool kBlock, bool kFresh, int kPanels, int kTokens>
inline void tile(const LinearArgs& args, int64_t panel, int64_t token) {
  const int64_t scale_bytes = scale_bytes_of(args.columns, kBlock);
  const int64_t padded = round_up_to(args.columns, 8), panel_bytes = scale_bytes + padded * Codes::kBytesPerColumn;
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
      if (kFresh) prefetch_group<Codes, kBlock, kPanels>(scales, padded, group);
#pragma GCC unroll 8
      for (int t = 0; t < kTokens; ++t) {
        const __m512i sum = _mm512_set1_epi32(sums[t * args.q.sum_stride + group / kActivationGroup]);
        const __m512i correction = _mm512_slli_epi32(sum, Codes::kOffsetShift);
        for (int p = 0; p < kPanels; ++p) {
          isum[p][t] = _mm512_sub_epi32(kBlock ? _mm512_setzero_si512() : isum[p][t], correction);
        }
      }
      if (group + kActivationGroup <= padded) {
#pragma GCC unroll 4
        for (int k = 0; k < 32; k += 8) eight_columns<Codes>(codes, x, args.q.code_stride, group + k, isum);
      } else {
        for (int64_t k = group; k < padded; k += 8) eight_columns<Codes>(codes, x, args.q.code_stride, k, isum);
      }
      if (!kBlock) continue;
      for (int p = 0; p < kPanels; ++p) {
        const __m512 w_scale = load_halves(scales + p * panel_bytes + group);  // 16 halves per group of 32
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
    const int64_t rows = args.rows - (panel + p) * 16;
    const __mmask16 lanes = rows >= 16 ? 0xffff : static_cast<__mmask16>((1u << rows) - 1);
    for (int t = 0; t < kTokens; ++t) {
      const __m512 y = kBlock ? acc[p][t] : _mm512_mul_ps(acc[p][t], load_halves(scales + p * panel_bytes));
      _mm512_mask_storeu_ps(args.y + (token + t) * args.y_stride + (panel + p) * 16, lanes, y);
    }
  }
}

using TileFn = void (*)(const LinearArgs&, int64_t, int64_t);
constexpr int kMaxTokens = 6;
template <class Codes, bool kBlock, bool kFresh, int kPanels>
constexpr TileFn kTiles[kMaxTokens] = {
    tile<Codes, kBlock, kFresh, kPanels, 1>, tile<Codes, kBlock, kFresh, kPanels, 2>,
    tile<Codes, kBlock, kFresh, kPanels, 3>, tile<Codes, kBlock, kFresh, kPanels, 4>,
    tile<Codes, kBlock, kFresh, kPanels, 5>, tile<Codes, kBlock, kFresh, kPanels, 6>};

inline void all_tokens(const LinearArgs& args, int64_t panel, int64_t token, int64_t token_end, const TileFn* first,
                       const TileFn* next) {
  int64_t tiles_left = (token_end - token + kMaxTokens - 1) / kMaxTokens;
  for (const TileFn* tiles = first; token < token_end; --tiles_left, tiles = next) {
    const int64_t count = (token_end - token + tiles_left - 1) / tiles_left;
    tiles[count - 1](args, panel, token);
    token += count;
  }
}

template <class Codes, bool kBlock>
inline void linear(const LinearArgs& args) {
  constexpr const TileFn *kPair = kTiles<Codes, kBlock, true, 2>, *kPairAgain = kTiles<Codes, kBlock, false, 2>;
  constexpr const TileFn* kSingle = kTiles<Codes, kBlock, true, 1>;
  for (int64_t token = 0; token < args.tokens; token += kTokensInCache) {
    const int64_t token_end = token + kTokensInCache < args.tokens ? token + kTokensInCache : args.tokens;
    int64_t panel = args.panel_begin;
    if (args.tokens == 1) {  // bound by memory: more panels in flight
      for (; panel + 4 <= args.panel_end; panel += 4) tile<Codes, kBlock, true, 4, 1>(args, panel, 0);
    }
    for (; panel + 2 <= args.panel_end; panel += 2) all_tokens(args, panel, token, token_end, kPair, kPairAgain);
    if (panel < args.panel_end) all_tokens(args, panel, token, token_end, kSingle, kSingle);
  }
}

}  // namespace

void linear_int8_channel_panel16_int8_avx512(const LinearArgs& args) { linear<Bytes, false>(args); }
void linear_int8_block32_panel16_int8_avx512(const LinearArgs& args) { linear<Bytes, true>(args); }
void linear_int4_channel_panel16_int8_avx512(const LinearArgs& args) { linear<Nibbles, false>(args); }
void linear_int4_block32_panel16_int8_avx512(const LinearArgs& args) { linear<Nibbles, true>(args); }

}  // namespace halftone
