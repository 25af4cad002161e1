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
  float scales[2][2 * kStripGroups][16];          // of groups of 16 columns, or of more and then (affine) the bases
  int32_t starts[kWideTokens][2 * kStripGroups];  // what an integer sum begins with: -offset * sum of activations
  float s1[kWideTokens][16], acc[kWideTokens][2][16];
  float sums[kWideTokens][kStripGroups];  // affine: sums of activations
};
static_assert(sizeof(WideScratch) <= kLinearStripBytes);

struct Strip {
  const std::byte* codes[2];
  int64_t column, groups, group_bytes;  // groups of kStep columns, as stored
  int offset;
  bool last;
  const std::byte* ahead[2];  // the codes that come after it
  __mmask16 lanes[2];
  float* y;
};

// What tiles need to know of a layout. Layouts that differ in their codes alone share them.
template <int64_t kColumnsOfScale, bool kHasBase>
struct Scaling {
  static constexpr bool kBlock = kColumnsOfScale != 0, kAffine = kHasBase;
  static constexpr int64_t kSumColumns = kBlock ? kColumnsOfScale : kActivationBlock;
  static constexpr int64_t kStep = kColumnsOfScale == 16 ? 16 : kActivationGroup;
};

// Sums of whole groups, once per group, at its first 32 columns.
template <class Scale>
inline void store_sums(const int32_t* sums, const Strip& strip, int32_t* starts, float* floats) {
  for (int64_t at = 0; at < strip.groups; at += 16) {
    const int64_t left = strip.groups - at;
    __m512i sum = _mm512_maskz_loadu_epi32(static_cast<__mmask16>(left >= 16 ? 0xffff : (1u << left) - 1), sums + at);
    if (Scale::kSumColumns >= 64) sum = _mm512_add_epi32(sum, _mm512_shuffle_epi32(sum, _MM_PERM_CDAB));
    if (Scale::kSumColumns >= 128) sum = _mm512_add_epi32(sum, _mm512_shuffle_epi32(sum, _MM_PERM_BADC));
    _mm512_store_si512(starts + at, _mm512_mullo_epi32(sum, _mm512_set1_epi32(-strip.offset)));
    if (Scale::kAffine) _mm512_store_ps(floats + at, _mm512_cvtepi32_ps(sum));
  }
}

// The same of groups of 16 columns, whose sums nobody stores: 4 groups at a time.
inline void store_sums_of_16(const int8_t* x, const Strip& strip, int32_t* starts) {
  const __m512i first_of_lanes = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  for (int64_t at = 0; at < strip.groups; at += 4) {
    const int64_t left = strip.groups - at;
    const __mmask64 mask = left >= 4 ? ~uint64_t{0} : (uint64_t{1} << (16 * left)) - 1;
    const __m512i codes = _mm512_maskz_loadu_epi8(mask, x + 16 * at);
    __m512i sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(static_cast<char>(strip.offset)), codes);
    sum = _mm512_add_epi32(sum, _mm512_shuffle_epi32(sum, _MM_PERM_CDAB));
    sum = _mm512_add_epi32(sum, _mm512_shuffle_epi32(sum, _MM_PERM_BADC));
    sum = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_permutexvar_epi32(first_of_lanes, sum));
    _mm_store_si128(reinterpret_cast<__m128i*>(starts + at), _mm512_castsi512_si128(sum));
  }
}

template <class Scale, int kTokens>
inline void tile_begin(const LinearArgs& args, WideScratch& m, const Strip& strip, int64_t token) {
  const int32_t* sums = args.q.sums + token * args.q.sum_stride + strip.column / kActivationGroup;
  for (int t = 0; t < kTokens; ++t) {
    if (Scale::kStep == 16) {
      store_sums_of_16(args.q.codes + (token + t) * args.q.code_stride + strip.column, strip, m.starts[t]);
    } else {
      store_sums<Scale>(sums + t * args.q.sum_stride, strip, m.starts[t], m.sums[t]);
    }
    for (int p = 0; p < 2; ++p) {
      const float* y = strip.y + (token + t) * args.y_stride + p * 16;
      _mm512_store_ps(m.acc[t][p], strip.column == 0 ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(strip.lanes[p], y));
    }
  }
}

template <class Scale, int kTokens>
inline void tile_end(const LinearArgs& args, WideScratch& m, const Strip& strip, int64_t token) {
  for (int t = 0; t < kTokens; ++t) {
    for (int p = 0; p < 2; ++p) {
      __m512 y = _mm512_load_ps(m.acc[t][p]);
      if (!Scale::kBlock && strip.last) y = _mm512_mul_ps(y, _mm512_load_ps(m.scales[p][0]));
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

// Activations straight from memory cost the front end one instruction less each, and two reads instead of one. Where
// another process shares the core both are short: one token of 4 (blocks: two) measured best, 2 to 3 % before none.
template <class Scale>
constexpr bool reads_twice(int token) {
  return token % 4 < (Scale::kBlock ? 2 : 1);
}
inline __attribute__((always_inline)) __m512i dot_at(__m512i sum, __m512i codes, const int8_t* x) {
  asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(codes), "m"(*reinterpret_cast<const int32_t*>(x)));
  return sum;
}

template <class Scale, int kTokens>
void wide_tile(const LinearArgs& args, WideScratch& m, const Strip& strip, int64_t token) {
  constexpr int64_t kSumGroups = Scale::kSumColumns / Scale::kStep, kBlockGroups = kActivationBlock / Scale::kStep;
  tile_begin<Scale, kTokens>(args, m, strip, token);
  const int64_t stride = args.q.code_stride;
  const int8_t *x = args.q.codes + token * stride + strip.column, *x3 = x + 3 * stride, *x6 = x + 6 * stride;
  const float* x_scales = args.q.scales + token * args.q.scale_stride + strip.column / kActivationBlock;
  const std::byte *codes0 = strip.codes[0], *codes1 = strip.codes[1];
  for (int64_t block = 0; block < strip.groups; block += kBlockGroups, ++x_scales) {
    const int64_t block_end = block + kBlockGroups < strip.groups ? block + kBlockGroups : strip.groups;
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
          for (int p = 0; p < 2; ++p) prefetch_far(strip.ahead[p] + group * strip.group_bytes, strip.group_bytes);
        }
#pragma GCC unroll 8
        for (int k = 0; k < Scale::kStep / 4; ++k) {
          const __m512i w0 = load_codes(codes0 + k * 64), w1 = load_codes(codes1 + k * 64);
#pragma GCC unroll 8
          for (int t = 0; t < kTokens; ++t) {
            const int8_t* at = (t < 3 ? x : t < 6 ? x3 : x6) + t % 3 * stride + k * 4;
            if (reads_twice<Scale>(t)) {
              isum[0][t] = dot_at(isum[0][t], w0, at);
              isum[1][t] = dot_at(isum[1][t], w1, at);
              continue;
            }
            const __m512i four = broadcast4(at);
            isum[0][t] = _mm512_dpbusd_epi32(isum[0][t], w0, four);
            isum[1][t] = _mm512_dpbusd_epi32(isum[1][t], w1, four);
          }
        }
        codes0 += 16 * Scale::kStep, codes1 += 16 * Scale::kStep;
        x += Scale::kStep, x3 += Scale::kStep, x6 += Scale::kStep;
      } while (++group < sum_end);
      asm volatile("" ::: "memory");  // s1 stays in memory: in registers it would push integer sums out of theirs
      if (!Scale::kBlock) {           // the block is one sum
        add_block<kTokens>(args, m, x_scales, [&](int t, int p) { return _mm512_cvtepi32_ps(isum[p][t]); });
        continue;
      }
      const __m512 w_scale0 = _mm512_load_ps(m.scales[0][sum]), w_scale1 = _mm512_load_ps(m.scales[1][sum]);
#pragma GCC unroll 8
      for (int t = 0; t < kTokens; ++t) {
        s0[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum[0][t]), w_scale0, s0[t]);
        __m512 s1 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum[1][t]), w_scale1, _mm512_load_ps(m.s1[t]));
        if (Scale::kAffine) {
          const __m512 xsum = _mm512_set1_ps(m.sums[t][sum * kSumGroups]);
          s0[t] = _mm512_fmadd_ps(xsum, _mm512_load_ps(m.scales[0][kStripGroups + sum]), s0[t]);
          s1 = _mm512_fmadd_ps(xsum, _mm512_load_ps(m.scales[1][kStripGroups + sum]), s1);
        }
        _mm512_store_ps(m.s1[t], s1);
      }
    }
    if (!Scale::kBlock) continue;
    add_block<kTokens>(args, m, x_scales, [&](int t, int p) { return p == 0 ? s0[t] : _mm512_load_ps(m.s1[t]); });
  }
  tile_end<Scale, kTokens>(args, m, strip, token);
}

// Tokens are split evenly, so that tiles have 4 to 8 of them.
using WideTileFn = void (*)(const LinearArgs&, WideScratch&, const Strip&, int64_t);
template <class Scale>
constexpr WideTileFn kWideTiles[] = {wide_tile<Scale, 4>, wide_tile<Scale, 5>, wide_tile<Scale, 6>, wide_tile<Scale, 7>,
                                     wide_tile<Scale, 8>};

// Fills a strip from column .. end of a panel; columns of the last group beyond the end meet activations of zero.
template <class Panel>
inline void unpack(const std::byte* panel, int64_t columns, int64_t column, int64_t end, int p, WideScratch& m,
                   Strip& strip) {
  const std::byte* from = panel + Panel::head(columns) + column * Panel::kColumnBytes;
  const int64_t groups = Panel::kBlock ? (end - column + Panel::kSumColumns - 1) / Panel::kSumColumns : 1;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t k = column + g * Panel::kWidth;
    if constexpr (Panel::kBlock)
      _mm512_store_ps(m.scales[p][g], load_scale<Panel>(panel, k));
    else
      _mm512_store_ps(m.scales[p][g], Meaning<Panel>::row_scales(panel));
    if constexpr (Panel::kAffine) _mm512_store_ps(m.scales[p][kStripGroups + g], load_base<Panel>(panel, k));
  }
  Meaning<Panel> meaning;
  meaning.load(panel);
  strip.codes[p] = from;
  if (Panel::kBits == 8 && (end - column) % kActivationGroup == 0) return;
  std::byte* to = m.codes[p];
  strip.codes[p] = to;
  for (int64_t k = column; k < end; k += Panel::kUnit, from += Panel::kUnitBytes) {
    __m512i quads[Panel::kUnit / 4];
    load_unit<Panel::kBits>(from, quads);
    meaning.apply(quads);
#pragma GCC unroll 8
    for (int quad = 0; quad < Panel::kUnit / 4; ++quad, to += 64) _mm512_store_si512(to, quads[quad]);
  }
}

template <class Panel>
inline void wide(const LinearArgs& args) {  // REQUIRES: tokens > 3
  auto& m = *reinterpret_cast<WideScratch*>(args.scratch);
  const int64_t padded = Panel::padded(args.columns), panel_bytes = Panel::bytes(args.columns);
  // What few tokens read again should still be in L1.
  const int64_t strip_columns = args.tokens <= 16 ? 512 : kStripColumns;
  for (int64_t panel = args.panel_begin; panel < args.panel_end; panel += 2) {
    const bool pair = panel + 1 < args.panel_end;  // a single one is computed twice and stored once
    Strip strip;
    strip.offset = Panel::kOffset;
    strip.group_bytes = Panel::kStep * Panel::kColumnBytes;
    strip.y = args.y + panel * 16;
    strip.lanes[0] = lanes_of(args.rows, panel);
    strip.lanes[1] = pair ? lanes_of(args.rows, panel + 1) : 0;
    for (int64_t column = 0; column < padded; column += strip_columns) {
      const int64_t end = column + strip_columns < padded ? column + strip_columns : padded;
      strip.column = column;
      strip.groups = (end - column + Panel::kStep - 1) / Panel::kStep;
      strip.last = end == padded;
      for (int p = 0; p < 2; ++p) {
        const std::byte* at = args.weights + (panel + (pair ? p : 0)) * panel_bytes;
        const std::byte* codes = at + Panel::head(args.columns);
        strip.ahead[p] = strip.last ? codes + 2 * panel_bytes : codes + end * Panel::kColumnBytes;
        unpack<Panel>(at, args.columns, column, end, p, m, strip);
      }
      int64_t tiles_left = (args.tokens + kWideTokens - 1) / kWideTokens;
      for (int64_t token = 0; token < args.tokens; --tiles_left) {
        const int64_t count = (args.tokens - token + tiles_left - 1) / tiles_left;
        kWideTiles<Scaling<Panel::kGroup, Panel::kAffine>>[count - 4](args, m, strip, token);
        token += count;
      }
    }
  }
}

}  // namespace
}  // namespace halftone
