// SPDX-License-Identifier: Apache-2.0
// Tiles of int8_neon.h whose sums come from dot products by element: a register of codes holds 4 columns of 4 rows, and
// one element of activations is the same 4 columns, so 4 row sums add up without a shuffle. Multiply of an ISA:
//   kTaken<bits>;  add<bits, element>(sum, codes, x)
#pragma once

#include "kernels/linear/int8_neon.h"

namespace halftone {
namespace {

// The codes of one quarter of a unit.
template <int kBits>
inline __attribute__((always_inline)) void load_quads(const std::byte* at, uint8x16_t (&quads)[Codes<kBits>::kQuads]) {
  constexpr int kVectors = Codes<kBits>::kVectors;
  uint8x16_t bytes[kVectors];
  unroll<kVectors>([&](auto v) { bytes[v] = vld1q_u8(bytes_at(at + 64 * v)); });
  Codes<kBits>::template unpack<BytesNeon>(bytes, quads);
}

template <class Multiply, int kTokensOfTile>
struct DotSums {
  static constexpr int kTokens = kTokensOfTile, kQuarters = 4, kXStep = 1;
  template <int kBits>
  static constexpr int kTaken = Multiply::template kTaken<kBits>;
  int32x4_t isum[kTokens * kQuarters];

  void clear() {
    unroll<kTokens * kQuarters>([&](auto c) { isum[c] = vdupq_n_s32(0); });
  }
  template <int kBits>
  inline __attribute__((always_inline)) void add(const std::byte* codes, const int8_t* x, int64_t stride,
                                                 int64_t columns) {
    constexpr int kQuads = Codes<kBits>::kQuads, kRegisters = kQuads < 4 ? 1 : kQuads / 4;  // of activations
    for (int64_t k = 0; k < columns; k += 4 * kQuads, codes += 64 * Codes<kBits>::kVectors, x += 4 * kQuads) {
      int8x16_t four[kTokens * kRegisters];  // 4 quads each; units of 8 columns have but 2
      unroll<kTokens * kRegisters>([&](auto i) {
        const int8_t* at = x + i / kRegisters * stride + i % kRegisters * 16;
        four[i] = kQuads < 4 ? vcombine_s8(vld1_s8(at), vdup_n_s8(0)) : vld1q_s8(at);
      });
      unroll<kQuarters>([&](auto quarter) {
        uint8x16_t quads[kQuads];
        load_quads<kBits>(codes + 16 * quarter, quads);
        unroll<kQuads>([&](auto quad) {
          unroll<kTokens>([&](auto t) {
            int32x4_t& sum = isum[t * kQuarters + quarter];
            sum = Multiply::template add<kBits, quad.kValue % 4>(sum, quads[quad], four[t * kRegisters + quad / 4]);
          });
        });
      });
    }
  }
  template <int kToken, int kQuarter>
  int32x4_t rows() const {
    return isum[kToken * kQuarters + kQuarter];
  }
};

// Tokens from `token` on, of one panel.
template <class Panel, class Multiply>
inline void dot_tiles(const LinearArgs& args, int64_t panel, int64_t token) {
  const auto x = [&] { return args.q.codes + token * args.q.code_stride; };
  for (; token + 4 <= args.tokens; token += 4) tile<Panel, DotSums<Multiply, 4>>(args, panel, 0, token, x());
  for (; token + 2 <= args.tokens; token += 2) tile<Panel, DotSums<Multiply, 2>>(args, panel, 0, token, x());
  if (token < args.tokens) tile<Panel, DotSums<Multiply, 1>>(args, panel, 0, token, x());
}

}  // namespace
}  // namespace halftone
