// SPDX-License-Identifier: Apache-2.0
// int8 contract on NEON, once for the base instructions and their extensions: the order of sums and scales. How
// products add up is a class Sums of each ISA's file, for a tile of kTokens tokens by kQuarters quarters (4 rows) of a
// panel:
//   kXStep             activation bytes from one column to the next
//   kTaken<bits>       what add takes from each stored code before it multiplies
//   clear()
//   add<bits>(codes, x, stride, columns)   up to 32 columns, codes at the first quarter; tokens of x are `stride` apart
//   rows<token, quarter>()                 sums of 4 rows
#pragma once

#include <arm_neon.h>

#include "kernels/linear/linear_args.h"
#include "kernels/linear/scales_neon.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

template <int kQuarters>
inline void store_quarters(const LinearArgs& args, int64_t token, int64_t row, const float* result) {
  const int64_t left = args.rows - row, rows = left < 4 * kQuarters ? left : 4 * kQuarters;
  if (rows > 0) __builtin_memcpy(args.y + token * args.y_stride + row, result, static_cast<size_t>(rows) * 4);
}

// Rows 16 panel + 4 quarter ... of tokens `token` ...; x is what Sums::add reads, of the first token and column 0.
template <class Panel, class Sums>
inline void tile(const LinearArgs& args, int64_t panel, int64_t quarter, int64_t token, const int8_t* x) {
  constexpr int kTokens = Sums::kTokens, kQuarters = Sums::kQuarters;
  constexpr int kCells = kTokens * kQuarters;  // number kQuarters * t + i: token t, quarter i
  constexpr int kLeft = Sums::template kTaken<Panel::kBits> - Panel::kOffset;
  const int64_t padded = Panel::padded(args.columns);
  const std::byte* scales = args.weights + panel * Panel::bytes(args.columns);
  const std::byte* codes = scales + Panel::head(args.columns) + 16 * quarter;
  const int32_t* sums = args.q.sums + token * args.q.sum_stride;
  const int8_t* x_rows = args.q.codes + token * args.q.code_stride;
  const float* x_scales = args.q.scales + token * args.q.scale_stride;
  float32x4_t acc[kCells];
  unroll<kCells>([&](auto c) { acc[c] = vdupq_n_f32(0); });
  for (int64_t block = 0; block < args.columns; block += kActivationBlock) {
    const int64_t block_end = block + kActivationBlock < padded ? block + kActivationBlock : padded;
    float32x4_t s[kCells];
    Sums isum;
    int32_t xsum[kTokens] = {};
    unroll<kCells>([&](auto c) { s[c] = vdupq_n_f32(0); });
    isum.clear();
    for (int64_t k = block; k < block_end; k += Panel::kStep) {
      const int64_t next = k + Panel::kStep < block_end ? k + Panel::kStep : block_end;
      isum.template add<Panel::kBits>(codes + k * Panel::kColumnBytes, x + k * Sums::kXStep, args.q.code_stride,
                                      next - k);
      unroll<kTokens>([&](auto t) {
        xsum[t] += Panel::kStep == 16 ? vaddlvq_s8(vld1q_s8(x_rows + t * args.q.code_stride + k))
                                      : sums[t * args.q.sum_stride + k / kActivationGroup];
      });
      if (next < block_end && !at_group<Panel>(next)) continue;
      unroll<kCells>([&](auto c) {
        constexpr int kToken = c.kValue / kQuarters, kQuarter = c.kValue % kQuarters;
        const int32x4_t left = vdupq_n_s32(kLeft * xsum[kToken]);
        const float32x4_t sum = vcvtq_f32_s32(vaddq_s32(isum.template rows<kToken, kQuarter>(), left));
        s[c] = Panel::kBlock ? vfmaq_f32(s[c], sum, load_scale<Panel>(scales, k, quarter + kQuarter)) : sum;
        if (!Panel::kAffine) return;
        s[c] = vfmaq_n_f32(s[c], load_base<Panel>(scales, k, quarter + kQuarter), static_cast<float>(xsum[kToken]));
      });
      isum.clear();
      unroll<kTokens>([&](auto t) { xsum[t] = 0; });
    }
    unroll<kCells>([&](auto c) {
      acc[c] = vfmaq_n_f32(acc[c], s[c], x_scales[c / kQuarters * args.q.scale_stride + block / kActivationBlock]);
    });
  }
  unroll<kTokens>([&](auto t) {
    alignas(16) float result[4 * kQuarters];
    unroll<kQuarters>([&](auto i) {
      const float32x4_t sum = acc[t * kQuarters + i];
      vst1q_f32(result + 4 * i, Panel::kBlock ? sum : vmulq_f32(sum, load_halves(scales + 8 * (quarter + i))));
    });
    store_quarters<kQuarters>(args, token + t, panel * 16 + 4 * quarter, result);
  });
}

}  // namespace
}  // namespace halftone
