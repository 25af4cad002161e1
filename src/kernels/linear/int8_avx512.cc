// SPDX-License-Identifier: Apache-2.0
// int8 contract on AVX-512 VNNI: dwords of 4 unsigned codes times 4 activations broadcast from memory, 16 rows in
// lanes. Codes of symmetric layouts carry an offset, so integer sums start at -offset * sum(x), which the activations
// store per group of 32; affine ones multiply that sum by the base.
#include "kernels/linear/int8_wide_avx512.h"

namespace halftone {
namespace {

constexpr int kTileTokens = 6;

// Codes that come later, in two steps: into L2, and from there into L1. One step alone reads at 85 % of the speed; so
// do 20 lines at once, or L2 before L1 (measured against a read loop of the same bytes).
struct Ahead {
  static constexpr int kNear = 128, kFar = 512;  // columns
  const std::byte *near_codes, *far_codes;       // null: nothing to fetch
  int64_t panel_bytes;

  template <int kVectors>
  inline __attribute__((always_inline)) void fetch(int panel, int64_t at) const {
    prefetch(near_codes + panel * panel_bytes + at, 64 * kVectors);
    prefetch_far(far_codes + panel * panel_bytes + at, 64 * kVectors);
  }
};

// After the group of each panel; at the end of a panel, the beginning of the panels that come next.
template <class Panel, int kPanels>
inline __attribute__((always_inline)) Ahead ahead_of(const std::byte* scales, int64_t padded, int64_t group) {
  const int64_t head = Panel::head(padded), panel_bytes = Panel::bytes(padded);
  const int64_t near_column = group + Ahead::kNear, far_column = group + Ahead::kFar;
  const bool near_turns = near_column >= padded, far_turns = far_column >= padded;
  const int64_t near_place = near_column - (near_turns ? padded & -32 : 0);
  const int64_t far_place = far_column - (far_turns ? padded & -32 : 0);
  const std::byte* near_panel = scales + (near_turns ? kPanels * panel_bytes : 0);
  const std::byte* far_panel = scales + (far_turns ? kPanels * panel_bytes : 0);
  for (int p = 0; Panel::kBlock && p < kPanels; ++p) {
    prefetch(near_panel + p * panel_bytes + Panel::fetch_at(near_place), 1);
    prefetch_far(far_panel + p * panel_bytes + Panel::fetch_at(far_place), 1);
  }
  return {near_panel + head + near_place * Panel::kColumnBytes, far_panel + head + far_place * Panel::kColumnBytes,
          panel_bytes};
}

// Two codes of 4 bits in a byte: with registers to spare, the high one is multiplied where it lies, as 16 times its
// value, and summed apart.
template <class Panel, int kTokens>
constexpr bool kHighApart = Panel::kBits == 4 && kTokens == 1 && !Panel::kPalette;

// One unit of columns from k. Units of many quads go panel by panel: the registers would not hold those of all.
template <class Panel, int kPanels, int kTokens>
inline __attribute__((always_inline)) void add_unit(const std::byte* const (&codes)[kPanels],
                                                    const Meaning<Panel> (&meaning)[kPanels], const int8_t* x,
                                                    int64_t stride, int64_t k, const Ahead& ahead, int64_t group,
                                                    __m512i (&isum)[kPanels][kTokens],
                                                    __m512i (&high)[kPanels][kTokens]) {
  constexpr int kQuads = Codes<Panel::kBits>::kQuads, kTogether = kQuads <= 2 ? kPanels : 1;
  constexpr bool kApart = kHighApart<Panel, kTokens>;
#pragma GCC unroll 4
  for (int first = 0; first < kPanels; first += kTogether) {
    __m512i quads[kTogether][kQuads];
#pragma GCC unroll 4
    for (int p = 0; p < kTogether; ++p) {
      const std::byte* at = codes[first + p] + k * Panel::kColumnBytes;
      if (kPanels == 4 || ahead.near_codes)
        ahead.fetch<Codes<Panel::kBits>::kVectors>(first + p, (k - group) * Panel::kColumnBytes);
      if (kApart) {
        const __m512i bytes = load_codes(at), low = _mm512_set1_epi8(15);
        quads[p][0] = _mm512_and_si512(bytes, low);
        quads[p][1] = _mm512_andnot_si512(low, bytes);
      } else {
        load_unit<Panel::kBits>(at, quads[p]);
        meaning[first + p].apply(quads[p]);
      }
    }
#pragma GCC unroll 8
    for (int quad = 0; quad < kQuads; ++quad) {
#pragma GCC unroll 8
      for (int t = 0; t < kTokens; ++t) {
        const __m512i four = broadcast4(x + t * stride + k + 4 * quad);
#pragma GCC unroll 4
        for (int p = 0; p < kTogether; ++p) {
          __m512i& sum = kApart && quad == 1 ? high[first + p][t] : isum[first + p][t];
          sum = _mm512_dpbusd_epi32(sum, quads[p][quad], four);
        }
      }
    }
  }
}

// fresh: these weights come from memory, not from a cache that an earlier tile filled; 4 panels at once always do.
template <class Panel, int kPanels, int kTokens>
inline void tile(const LinearArgs& args, int64_t panel, int64_t token, bool fresh) {
  constexpr bool kBlock = Panel::kBlock;
  constexpr int64_t kStep = Panel::kStep;
  const int64_t head = Panel::head(args.columns), panel_bytes = Panel::bytes(args.columns);
  const int64_t padded = Panel::padded(args.columns);
  const std::byte *scales = args.weights + panel * panel_bytes, *codes[kPanels];
  for (int p = 0; p < kPanels; ++p) codes[p] = scales + p * panel_bytes + head;
  Meaning<Panel> meaning[kPanels];
  for (int p = 0; p < kPanels; ++p) meaning[p].load(scales + p * panel_bytes);
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
    __m512i isum[kPanels][kTokens], high[kPanels][kTokens];
    int32_t xsum[kTokens] = {};
    for (int p = 0; p < kPanels; ++p) {
      for (int t = 0; t < kTokens; ++t) s[p][t] = _mm512_setzero_ps(), isum[p][t] = _mm512_setzero_si512();
    }
    for (int64_t group = block; group < block_end; group += kStep) {
      const bool first = group % Panel::kSumColumns == 0;
      const bool whole = (group + kStep) % Panel::kSumColumns == 0 || group + kStep >= block_end;
      const Ahead ahead = kPanels == 4 || fresh ? ahead_of<Panel, kPanels>(scales, padded, group) : Ahead{};
#pragma GCC unroll 8
      for (int t = 0; t < kTokens; ++t) {
        const int32_t sum = sums[t * args.q.sum_stride + group / kActivationGroup];
        if (Panel::kAffine) xsum[t] = (first ? 0 : xsum[t]) + sum;
        const __m512i correction = kStep == 16 ? sum_of_16(x + t * args.q.code_stride + group, Panel::kOffset)
                                               : _mm512_set1_epi32(sum * Panel::kOffset);
        for (int p = 0; p < kPanels; ++p) {
          isum[p][t] = _mm512_sub_epi32(first ? _mm512_setzero_si512() : isum[p][t], correction);
          if (first) high[p][t] = _mm512_setzero_si512();
        }
      }
      if (group + kStep <= padded) {
#pragma GCC unroll 4
        for (int k = 0; k < kStep; k += Panel::kUnit)
          add_unit<Panel>(codes, meaning, x, args.q.code_stride, group + k, ahead, group, isum, high);
      } else {
        for (int64_t k = group; k < padded; k += Panel::kUnit) {
          add_unit<Panel>(codes, meaning, x, args.q.code_stride, k, ahead, group, isum, high);
        }
      }
      for (int p = 0; kHighApart<Panel, kTokens> && whole && p < kPanels; ++p) {
        for (int t = 0; t < kTokens; ++t) isum[p][t] = _mm512_add_epi32(isum[p][t], _mm512_srai_epi32(high[p][t], 4));
      }
      if (!kBlock || !whole) continue;
      for (int p = 0; p < kPanels; ++p) {
        const __m512 w_scale = load_scale<Panel>(scales + p * panel_bytes, group);
        for (int t = 0; t < kTokens; ++t) s[p][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum[p][t]), w_scale, s[p][t]);
        if (!Panel::kAffine) continue;
        const __m512 base = load_base<Panel>(scales + p * panel_bytes, group);
        for (int t = 0; t < kTokens; ++t) {
          s[p][t] = _mm512_fmadd_ps(_mm512_set1_ps(static_cast<float>(xsum[t])), base, s[p][t]);
        }
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
    const __m512 row_scales = kBlock ? _mm512_setzero_ps() : Meaning<Panel>::row_scales(scales + p * panel_bytes);
    for (int t = 0; t < kTokens; ++t) {
      const __m512 y = kBlock ? acc[p][t] : _mm512_mul_ps(acc[p][t], row_scales);
      _mm512_mask_storeu_ps(args.y + (token + t) * args.y_stride + (panel + p) * 16, lanes, y);
    }
  }
}

// Two panels and 1 to 6 tokens.
using TileFn = void (*)(const LinearArgs&, int64_t, int64_t, bool);
template <class Panel>
constexpr TileFn kTiles[kTileTokens] = {tile<Panel, 2, 1>, tile<Panel, 2, 2>, tile<Panel, 2, 3>,
                                        tile<Panel, 2, 4>, tile<Panel, 2, 5>, tile<Panel, 2, 6>};

// Panels from `panel` on, two at a time.
template <class Panel>
inline int64_t tiles(const LinearArgs& args, int64_t panel) {
  for (; panel + 2 <= args.panel_end; panel += 2) {
    int64_t tiles_left = (args.tokens + kTileTokens - 1) / kTileTokens;
    for (int64_t token = 0; token < args.tokens; --tiles_left) {
      const int64_t count = (args.tokens - token + tiles_left - 1) / tiles_left;
      kTiles<Panel>[count - 1](args, panel, token, token == 0);
      token += count;
    }
  }
  return panel;
}

template <class Panel>
inline void linear(const LinearArgs& args) {
  constexpr bool kTiled = !Panel::kSeldom || Panel::kNested;  // several tokens verify a guess with K types, too
  // Unpacking pays when many tokens read what it stores.
  if (args.tokens > (!kTiled ? 3 : Panel::kBits == 4 ? 32 : kTileTokens)) return wide<Panel>(args);
  int64_t panel = args.panel_begin;
  if (args.tokens == 1 || !kTiled) {  // bound by memory: more panels in flight
    for (; panel + 4 <= args.panel_end; panel += 4) {
      for (int64_t token = 0; token < args.tokens; ++token) tile<Panel, 4, 1>(args, panel, token, token == 0);
    }
  }
  if constexpr (kTiled) panel = tiles<Panel>(args, panel);
  for (; panel < args.panel_end; ++panel) {
    for (int64_t token = 0; token < args.tokens; ++token) tile<Panel, 1, 1>(args, panel, token, token == 0);
  }
}

}  // namespace

#define LINEAR_INT8(with, name, bits, group, kind)                   \
  void linear_##name##_panel16_int8_avx512(const LinearArgs& args) { \
    linear<PackedPanel<bits, group, CodeKind::kind>>(args);          \
  }
HALFTONE_INTEGER_LAYOUTS(LINEAR_INT8, )

#define LINEAR_BYTES(with, name, bits, rows, kind)                   \
  void linear_##name##_panel16_int8_avx512(const LinearArgs& args) { \
    linear<BytePaletteOfRows<bits, rows, PaletteKind::kind>>(args);  \
  }
HALFTONE_BYTE_PALETTES(LINEAR_BYTES, )

}  // namespace halftone
