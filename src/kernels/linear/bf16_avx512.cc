// SPDX-License-Identifier: Apache-2.0
// bf16 contract with AVX512_BF16 (kernels/isa.h, has_bf16_dot): panels hold the pairs of columns that one instruction
// multiplies, so weights are used as they lie. x is rounded once per call, as many tokens as fit in scratch (L2) at a
// time; 12 tokens and 2 panels meet in registers, over all columns or, for many tokens, over a chunk of them: then y
// carries the sums from chunk to chunk.
#include "kernels/linear/linear_args.h"
#include "kernels/linear/panels_avx512.h"
#include "kernels/linear/registers_avx512.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

constexpr int64_t kPairBytes = 64;   // two columns of 16 rows
constexpr int64_t kPairsAhead = 64;  // between what is computed and what is fetched
constexpr int64_t kChunkPairs = 512;
constexpr int64_t kStrideExtra = 16;  // so that rows of x are no multiple of 4096 bytes apart
constexpr int64_t kTileTokens = 12;

// One token as pairs of bf16, one pair in the place of a float; the pair of an odd last column is filled up with zero.
inline void round_token(const float* x, int64_t columns, float* out) {
  for (int64_t k = 0; k < columns; k += 32, out += 16) {
    const int64_t left = columns - k;
    const auto low = static_cast<__mmask16>(left >= 16 ? 0xffff : (1u << left) - 1);
    const auto high = static_cast<__mmask16>(left >= 32 ? 0xffff : left > 16 ? (1u << (left - 16)) - 1 : 0);
    const __m512bh both =
        _mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, x + k + 16), _mm512_maskz_loadu_ps(low, x + k));
    _mm512_storeu_si512(out, reinterpret_cast<__m512i>(both));
  }
}

inline __m512 add_products(__m512 sum, __m512 x, __m512i weights) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(weights));
}

// kPanels panels from `panel` times the tokens of args, at most kTokens, over the pairs of columns [begin, end); x
// holds these pairs.
template <int kPanels, int kTokens>
void stream(const LinearArgs& args, int64_t panel, const float* rounded, int64_t stride, int64_t begin, int64_t end) {
  const int64_t panel_bytes = (args.columns + 1) / 2 * kPairBytes;
  int64_t panels[kPanels];
  const std::byte* weights[kPanels];
#pragma GCC unroll 4
  for (int p = 0; p < kPanels; ++p) {
    panels[p] = panel + p < args.panel_end ? panel + p : args.panel_end - 1;
    weights[p] = args.weights + panels[p] * panel_bytes;
  }
  Tokens<kTokens> x(rounded, stride, args.tokens);
  __m512 acc[kTokens][kPanels];
  begin == 0 ? clear(acc) : load(args, acc, x, panels);
  for (int64_t k = begin; k < end; ++k, x.advance(1)) {
    const bool turn = k + kPairsAhead >= end;  // to the panels that come next
    const int64_t ahead =
        (k + kPairsAhead) * kPairBytes + (turn ? kPanels * panel_bytes - (end - begin) * kPairBytes : 0);
    __m512i w[kPanels];
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) {
      prefetch(weights[p] + ahead, 1);
      w[p] = load_codes(weights[p] + k * kPairBytes);
    }
#pragma GCC unroll 12
    for (int t = 0; t < kTokens; ++t) {
      const __m512 xt = x.broadcast(t, 0);
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) acc[t][p] = add_products(acc[t][p], xt, w[p]);
    }
  }
  store(args, acc, x, panels);
}

using StreamFn = void (*)(const LinearArgs&, int64_t, const float*, int64_t, int64_t, int64_t);
inline StreamFn stream_of(int64_t tokens) {
  return tokens <= 4 ? stream<2, 4> : tokens <= 6 ? stream<2, 6> : tokens <= 8 ? stream<2, 8> : stream<2, kTileTokens>;
}

// All panels and all tokens of args over the pairs [begin, end).
inline void meet_all(const LinearArgs& args, const float* x, int64_t stride, int64_t begin, int64_t end) {
  if (args.tokens <= 2) {
    const StreamFn run = args.tokens == 1 ? stream<4, 1> : stream<4, 2>;
    for (int64_t panel = args.panel_begin; panel < args.panel_end; panel += 4) run(args, panel, x, stride, begin, end);
    return;
  }
  LinearArgs group = args;
  for (int64_t panel = args.panel_begin; panel < args.panel_end; panel += 2) {
    for (int64_t token = 0; token < args.tokens; token += group.tokens) {
      const int64_t left = args.tokens - token;
      group.tokens = left < kTileTokens ? left : kTileTokens;
      group.y = args.y + token * args.y_stride;
      stream_of(group.tokens)(group, panel, x + token * stride, stride, begin, end);
    }
  }
}

}  // namespace

void linear_bf16_panel16_bf16_avx512(const LinearArgs& args) {
  auto* x = reinterpret_cast<float*>(args.scratch);
  const int64_t pairs = (args.columns + 1) / 2;
  const int64_t chunk = args.tokens <= kTileTokens || pairs < kChunkPairs ? pairs : kChunkPairs;
  const int64_t stride = round_up_to(chunk, 16) + kStrideExtra, room = kLinearScratchBytes / 4 / stride;
  LinearArgs part = args;
  for (int64_t token = 0; token < args.tokens; token += part.tokens) {
    const int64_t left = args.tokens - token, blocks = room > 1 ? (left + room - 1) / room : left;
    part.tokens = (left + blocks - 1) / blocks;
    part.y = args.y + token * args.y_stride;
    for (int64_t begin = 0; begin < pairs; begin += chunk) {
      const int64_t end = begin + chunk < pairs ? begin + chunk : pairs;
      const int64_t columns = (end < pairs ? 2 * end : args.columns) - 2 * begin;
      for (int64_t t = 0; t < part.tokens; ++t) {
        round_token(args.x + (token + t) * args.x_stride + 2 * begin, columns, x + t * stride);
      }
      meet_all(part, x, stride, begin, end);
    }
  }
}

}  // namespace halftone
