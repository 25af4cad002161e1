// SPDX-License-Identifier: Apache-2.0
// Sums of a few tokens and panels in registers, for kernels that read weights once. Only files of this ISA include it.
#pragma once

#include <immintrin.h>

#include "kernels/linear/linear_args.h"

namespace halftone {
namespace {

inline __mmask16 lanes_of(const LinearArgs& args, int64_t panel) {
  const int64_t rows = args.rows - panel * 16;
  return rows >= 16 ? 0xffff : static_cast<__mmask16>((1u << rows) - 1);
}

// Kernels exist for some counts of panels and tokens. What a call has less is computed twice: group g of 3 tokens
// starts where its last token exists, panels end at the last one.
template <int kTokens>
struct Tokens {
  static constexpr int kGroups = (kTokens + 2) / 3;
  const float* x[kGroups];  // few addresses, so that all of them stay in registers
  int64_t first[kGroups], stride;
  Tokens(const float* rows, int64_t stride, int64_t tokens) : stride(stride) {
    for (int g = 0; g < kGroups; ++g) {
      const int64_t last_start = tokens - (kTokens - 3 * g < 3 ? kTokens - 3 * g : 3);
      first[g] = 3 * g < last_start ? 3 * g : last_start;
      x[g] = rows + first[g] * stride;
    }
  }
  void advance(int64_t columns) {
    for (int g = 0; g < kGroups; ++g) {
      x[g] += columns;
      __asm__("" : "+r"(x[g]));  // else g++ adds pairs of addresses in vector registers
    }
  }
  int64_t token(int t) const { return first[t / 3] + t % 3; }
  __m512 broadcast(int t, int64_t column) const { return _mm512_set1_ps(x[t / 3][t % 3 * stride + column]); }
};

// One column of kPanels panels meets all tokens.
template <int kPanels, int kTokens>
inline __attribute__((always_inline)) void meet(__m512 (&acc)[kTokens][kPanels], const __m512 (&w)[kPanels],
                                                const Tokens<kTokens>& x, int64_t column) {
#pragma GCC unroll 12
  for (int t = 0; t < kTokens; ++t) {
    const __m512 xt = x.broadcast(t, column);
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) acc[t][p] = _mm512_fmadd_ps(xt, w[p], acc[t][p]);
  }
}

template <int kPanels, int kTokens>
inline __attribute__((always_inline)) void clear(__m512 (&acc)[kTokens][kPanels]) {
#pragma GCC unroll 12
  for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) acc[t][p] = _mm512_setzero_ps();
  }
}

template <int kPanels, int kTokens>
inline __attribute__((always_inline)) void load(const LinearArgs& args, __m512 (&acc)[kTokens][kPanels],
                                                const Tokens<kTokens>& x, const int64_t (&panels)[kPanels]) {
#pragma GCC unroll 12
  for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) {
      const float* y = args.y + x.token(t) * args.y_stride + panels[p] * 16;
      acc[t][p] = _mm512_maskz_loadu_ps(lanes_of(args, panels[p]), y);
    }
  }
}

template <int kPanels, int kTokens>
inline __attribute__((always_inline)) void store(const LinearArgs& args, const __m512 (&acc)[kTokens][kPanels],
                                                 const Tokens<kTokens>& x, const int64_t (&panels)[kPanels]) {
#pragma GCC unroll 12
  for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) {
      float* y = args.y + x.token(t) * args.y_stride + panels[p] * 16;
      _mm512_mask_storeu_ps(y, lanes_of(args, panels[p]), acc[t][p]);
    }
  }
}

}  // namespace
}  // namespace halftone
