// SPDX-License-Identifier: Apache-2.0
// int8 contract for many tokens: a strip of 2 panels by up to 2048 columns is unpacked once, into dwords of codes and
// f32 scales that stay in L2, and meets the tokens in tiles of 8. Then almost every vector instruction is a dot
// product.
#pragma once

#include "kernels/linear/int8_codes_avx512.h"

namespace halftone {
namespace {

constexpr int64_t kStripColumns = 2048, kStripGroups = kStripColumns / kActivationGroup;
constexpr int kWideTokens = 8;

struct WideScratch {  // starts are stored 16 at a time
  std::byte codes[2][kStripColumns * 16];
  float scales[2][kStripGroups][16];
  int32_t starts[kWideTokens][kStripGroups];  // what an integer sum begins with: -offset * sum of activations
  float s1[kWideTokens][16], acc[kWideTokens][2][16];
};
static_assert(sizeof(WideScratch) <= kLinearStripBytes);

struct Strip {
  const std::byte* codes[2];
  int64_t column, groups;  // of 32 columns
  bool last;
  const std::byte* ahead[2];  // the codes that come after it
  __mmask16 lanes[2];
  float* y;
};

// A start is stored once per sum, at its first group.
template <class Layout>
inline void store_starts(const int32_t* sums, int64_t groups, int32_t* starts) {
  for (int64_t at = 0; at < groups; at += 16) {
    const auto have = static_cast<__mmask16>(groups - at >= 16 ? 0xffff : (1u << (groups - at)) - 1);
    __m512i sum = _mm512_maskz_loadu_epi32(have, sums + at);
    if (Layout::kSumColumns >= 64) sum = _mm512_add_epi32(sum, _mm512_shuffle_epi32(sum, _MM_PERM_CDAB));
    if (Layout::kSumColumns >= 128) sum = _mm512_add_epi32(sum, _mm512_shuffle_epi32(sum, _MM_PERM_BADC));
    sum = _mm512_slli_epi32(sum, Layout::Codes::kOffsetShift);
    _mm512_store_si512(starts + at, _mm512_sub_epi32(_mm512_setzero_si512(), sum));
  }
}

template <class Layout, int kTokens>
inline void tile_begin(const LinearArgs& args, WideScratch& m, const Strip& strip, int64_t token) {
  const int32_t* sums = args.q.sums + token * args.q.sum_stride + strip.column / kActivationGroup;
  for (int t = 0; t < kTokens; ++t) {
    store_starts<Layout>(sums + t * args.q.sum_stride, strip.groups, m.starts[t]);
    for (int p = 0; p < 2; ++p) {
      const float* y = strip.y + (token + t) * args.y_stride + p * 16;
      _mm512_store_ps(m.acc[t][p], strip.column == 0 ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(strip.lanes[p], y));
    }
  }
}

template <class Layout, int kTokens>
inline void tile_end(const LinearArgs& args, WideScratch& m, const Strip& strip, int64_t token) {
  for (int t = 0; t < kTokens; ++t) {
    for (int p = 0; p < 2; ++p) {
      __m512 y = _mm512_load_ps(m.acc[t][p]);
      if (!Layout::kBlock && strip.last) y = _mm512_mul_ps(y, _mm512_load_ps(m.scales[p][0]));
      _mm512_mask_storeu_ps(strip.y + (token + t) * args.y_stride + p * 16, strip.lanes[p], y);
    }
  }
}

// acc = fma(s, x_scale, acc) of a block of 128 columns.
template <int kTokens, class Sums>
inline __attribute__((always_inline)) void add_block(const LinearArgs& args, WideScratch& m, const float* x_scales,
                                                     const Sums& s) {
#pragma GCC unroll 8
  for (int t = 0; t < kTokens; ++t) {
    const __m512 x_scale = _mm512_set1_ps(x_scales[t * args.q.scale_stride]);
    for (int p = 0; p < 2; ++p) {
      _mm512_store_ps(m.acc[t][p], _mm512_fmadd_ps(s(t, p), x_scale, _mm512_load_ps(m.acc[t][p])));
    }
  }
}

// The compiler would copy one register to the other, which takes the place of a dot product.
inline __attribute__((always_inline)) __m512i broadcast_start(const int32_t* at) {
  __m512i start;
  asm("vpbroadcastd %1, %0" : "=v"(start) : "m"(*at));
  return start;
}

template <class Layout, int kTokens>
void wide_tile(const LinearArgs& args, WideScratch& m, const Strip& strip, int64_t token) {
  constexpr int64_t kSumGroups = Layout::kSumColumns / kActivationGroup;
  constexpr int64_t kGroupBytes = kActivationGroup * Layout::Codes::kBytesPerColumn;
  tile_begin<Layout, kTokens>(args, m, strip, token);
  const int64_t stride = args.q.code_stride;
  const int8_t *x = args.q.codes + token * stride + strip.column, *x3 = x + 3 * stride, *x6 = x + 6 * stride;
  const float* x_scales = args.q.scales + token * args.q.scale_stride + strip.column / kActivationBlock;
  const std::byte *codes0 = strip.codes[0], *codes1 = strip.codes[1];
  for (int64_t block = 0; block < strip.groups; block += 4, ++x_scales) {
    const int64_t block_end = block + 4 < strip.groups ? block + 4 : strip.groups;
    __m512 s0[kTokens];  // of the first panel; registers do not suffice for both
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) {
      s0[t] = _mm512_setzero_ps();
      _mm512_store_ps(m.s1[t], _mm512_setzero_ps());
    }
    for (int64_t group = block; group < block_end;) {
      const int64_t sum = group / kSumGroups;
      __m512i isum[2][kTokens];
#pragma GCC unroll 8
      for (int t = 0; t < kTokens; ++t) {
        isum[0][t] = broadcast_start(&m.starts[t][group]);
        isum[1][t] = broadcast_start(&m.starts[t][group]);
      }
      const int64_t sum_end = kSumGroups == 1 || group + kSumGroups < block_end ? group + kSumGroups : block_end;
      do {
        if (token == 0) {  // while the first tokens are computed, the next strip comes from memory
          for (int p = 0; p < 2; ++p) prefetch_far(strip.ahead[p] + group * kGroupBytes, kGroupBytes);
        }
#pragma GCC unroll 8
        for (int k = 0; k < 8; ++k) {
          const __m512i w0 = load_codes(codes0 + k * 64), w1 = load_codes(codes1 + k * 64);
#pragma GCC unroll 8
          for (int t = 0; t < kTokens; ++t) {
            const __m512i four = broadcast4((t < 3 ? x : t < 6 ? x3 : x6) + t % 3 * stride + k * 4);
            isum[0][t] = _mm512_dpbusd_epi32(isum[0][t], w0, four);
            isum[1][t] = _mm512_dpbusd_epi32(isum[1][t], w1, four);
          }
        }
        codes0 += 512, codes1 += 512, x += 32, x3 += 32, x6 += 32;
      } while (++group < sum_end);
      asm volatile("" ::: "memory");  // s1 stays in memory: in registers it would push integer sums out of theirs
      if (!Layout::kBlock) {          // the block is one sum
        add_block<kTokens>(args, m, x_scales, [&](int t, int p) { return _mm512_cvtepi32_ps(isum[p][t]); });
        continue;
      }
      const __m512 w_scale0 = _mm512_load_ps(m.scales[0][sum]), w_scale1 = _mm512_load_ps(m.scales[1][sum]);
#pragma GCC unroll 8
      for (int t = 0; t < kTokens; ++t) {
        s0[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum[0][t]), w_scale0, s0[t]);
        const __m512 s1 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum[1][t]), w_scale1, _mm512_load_ps(m.s1[t]));
        _mm512_store_ps(m.s1[t], s1);
      }
    }
    if (!Layout::kBlock) continue;
    add_block<kTokens>(args, m, x_scales, [&](int t, int p) { return p == 0 ? s0[t] : _mm512_load_ps(m.s1[t]); });
  }
  tile_end<Layout, kTokens>(args, m, strip, token);
}

// Tokens are split evenly, so that tiles have 4 to 8 of them.
using WideTileFn = void (*)(const LinearArgs&, WideScratch&, const Strip&, int64_t);
template <class Layout>
constexpr WideTileFn kWideTiles[] = {wide_tile<Layout, 4>, wide_tile<Layout, 5>, wide_tile<Layout, 6>,
                                     wide_tile<Layout, 7>, wide_tile<Layout, 8>};

// Fills a strip from column .. end of a panel; columns of the last group beyond the end meet activations of zero.
template <class Layout>
inline const std::byte* unpack(const std::byte* panel, int64_t columns, int64_t column, int64_t end, std::byte* codes,
                               float (*scales)[16]) {
  using Codes = typename Layout::Codes;
  const std::byte* from = panel + Layout::scale_bytes(columns) + column * Codes::kBytesPerColumn;
  const int64_t first = Layout::kBlock ? column / Layout::kSumColumns : 0;
  const int64_t last = Layout::kBlock ? (end - 1) / Layout::kSumColumns : 0;
  for (int64_t g = first; g <= last; ++g) _mm512_store_ps(scales[g - first], load_halves(panel + g * 32));
  if (Codes::kPlain && (end - column) % kActivationGroup == 0) return from;
  for (int64_t k = 0; k < end - column; k += 8) {
    __m512i low, high;
    Codes::load(from + k * Codes::kBytesPerColumn, low, high);
    _mm512_store_si512(codes + k * 16, low);
    _mm512_store_si512(codes + k * 16 + 64, high);
  }
  return codes;
}

template <class Layout>
inline void wide(const LinearArgs& args) {  // REQUIRES: tokens > 4
  auto& m = *reinterpret_cast<WideScratch*>(args.scratch);
  const int64_t padded = round_up_to(args.columns, 8), panel_bytes = Layout::panel_bytes(args.columns);
  // What few tokens read again should still be in L1.
  const int64_t strip_columns = args.tokens <= 16 ? 512 : kStripColumns;
  for (int64_t panel = args.panel_begin; panel < args.panel_end; panel += 2) {
    const bool pair = panel + 1 < args.panel_end;  // a single one is computed twice and stored once
    Strip strip;
    strip.y = args.y + panel * 16;
    strip.lanes[0] = lanes_of(args.rows, panel);
    strip.lanes[1] = pair ? lanes_of(args.rows, panel + 1) : 0;
    for (int64_t column = 0; column < padded; column += strip_columns) {
      const int64_t end = column + strip_columns < padded ? column + strip_columns : padded;
      strip.column = column;
      strip.groups = (end - column + kActivationGroup - 1) / kActivationGroup;
      strip.last = end == padded;
      for (int p = 0; p < 2; ++p) {
        const std::byte* at = args.weights + (panel + (pair ? p : 0)) * panel_bytes;
        const std::byte* codes = at + Layout::scale_bytes(args.columns);
        strip.ahead[p] = strip.last ? codes + 2 * panel_bytes : codes + end * Layout::Codes::kBytesPerColumn;
        strip.codes[p] = unpack<Layout>(at, args.columns, column, end, m.codes[p], m.scales[p]);
      }
      int64_t tiles_left = (args.tokens + kWideTokens - 1) / kWideTokens;
      for (int64_t token = 0; token < args.tokens; --tiles_left) {
        const int64_t count = (args.tokens - token + tiles_left - 1) / tiles_left;
        kWideTiles<Layout>[count - 4](args, m, strip, token);
        token += count;
      }
    }
  }
}

}  // namespace
}  // namespace halftone
