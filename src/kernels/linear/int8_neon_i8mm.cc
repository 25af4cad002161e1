// SPDX-License-Identifier: Apache-2.0
// int8 contract with usdot, which takes codes as they are stored, and for 8 tokens or more with usmmla: 2 rows times 2
// tokens of 8 columns, twice the products of a dot product. Two quads of 4 rows become two such pairs of rows by a zip
// each, 4 zips per 16 usmmla of a tile; tokens come in pairs because a copy of x was gathered so. Not measured on a
// machine that has it.
#include "kernels/linear/int8_dot_neon.h"

namespace halftone {
namespace {

constexpr int kTileTokens = 8, kPairs = kTileTokens / 2;

struct MixedDot {
  template <int>
  static constexpr int kTaken = 0;
  template <int, int kElement>
  static int32x4_t add(int32x4_t sum, uint8x16_t codes, int8x16_t x) {
    return vusdotq_laneq_s32(sum, codes, x, kElement);
  }
};

// x: [columns / 8][pair][token of it][8].
struct MatrixSums {
  static constexpr int kTokens = kTileTokens, kQuarters = 2, kXStep = kTileTokens;
  template <int>
  static constexpr int kTaken = 0;
  int32x4_t isum[kQuarters * 2 * kPairs];  // number (2 i + half) * kPairs + pair: 2 rows of quarter i by 2 tokens

  void clear() {
    unroll<kQuarters * 2 * kPairs>([&](auto c) { isum[c] = vdupq_n_s32(0); });
  }
  template <int kBits>
  inline __attribute__((always_inline)) void add(const std::byte* codes, const int8_t* x, int64_t, int64_t columns) {
    constexpr int kQuads = Codes<kBits>::kQuads;
    for (int64_t k = 0; k < columns; k += 4 * kQuads, codes += 64 * Codes<kBits>::kVectors, x += 4 * kQuads * kXStep) {
      unroll<kQuarters>([&](auto quarter) {
        uint8x16_t quads[kQuads];
        load_quads<kBits>(codes + 16 * quarter, quads);
        unroll<kQuads / 2>([&](auto eight) {
          const uint32x4_t even = vreinterpretq_u32_u8(quads[2 * eight]);
          const uint32x4_t odd = vreinterpretq_u32_u8(quads[2 * eight + 1]);
          const uint8x16_t rows[2] = {vreinterpretq_u8_u32(vzip1q_u32(even, odd)),
                                      vreinterpretq_u8_u32(vzip2q_u32(even, odd))};
          unroll<2 * kPairs>([&](auto c) {
            int32x4_t& sum = isum[quarter * 2 * kPairs + c];
            sum = vusmmlaq_s32(sum, rows[c / kPairs], vld1q_s8(x + (eight * kPairs + c % kPairs) * 16));
          });
        });
      });
    }
  }
  template <int kToken, int kQuarter>
  int32x4_t rows() const {
    const int32x4_t low = isum[2 * kQuarter * kPairs + kToken / 2],
                    high = isum[(2 * kQuarter + 1) * kPairs + kToken / 2];
    return kToken % 2 == 0 ? vuzp1q_s32(low, high) : vuzp2q_s32(low, high);
  }
};

// Of 8 tokens, as MatrixSums reads them; columns padded to a multiple of 32, as x is.
inline void gather(const LinearArgs& args, int64_t token, int64_t columns, int8_t* to) {
  for (int64_t k = 0; k < columns; k += 8) {
    for (int64_t t = 0; t < kTileTokens; ++t, to += 8) {
      __builtin_memcpy(to, args.q.codes + (token + t) * args.q.code_stride + k, 8);
    }
  }
}

template <class Panel>
inline void linear(const LinearArgs& args) {
  const int64_t columns = (args.columns + kActivationGroup - 1) / kActivationGroup * kActivationGroup;
  const int64_t tile_bytes = kTileTokens * columns;
  const int64_t fit = kLinearScratchBytes / tile_bytes;  // none in rows so long that nobody has them
  auto* x = reinterpret_cast<int8_t*>(args.scratch);
  int64_t token = 0;
  while (fit > 0 && token + kTileTokens <= args.tokens) {
    const int64_t left = (args.tokens - token) / kTileTokens, tiles = left < fit ? left : fit;
    for (int64_t i = 0; i < tiles; ++i) gather(args, token + i * kTileTokens, columns, x + i * tile_bytes);
    for (int64_t panel = args.panel_begin; panel < args.panel_end; ++panel) {
      for (int64_t i = 0; i < 2 * tiles; ++i) {
        const int64_t quarter = i / tiles * 2, at = i % tiles;
        tile<Panel, MatrixSums>(args, panel, quarter, token + at * kTileTokens, x + at * tile_bytes);
      }
    }
    token += tiles * kTileTokens;
  }
  for (int64_t panel = args.panel_begin; token < args.tokens && panel < args.panel_end; ++panel) {
    dot_tiles<Panel, MixedDot>(args, panel, token);
  }
}

}  // namespace

#define LINEAR_INT8(with, name, bits, group, kind)                      \
  void linear_##name##_panel16_int8_neon_i8mm(const LinearArgs& args) { \
    linear<PackedPanel<bits, group, CodeKind::kind>>(args);             \
  }
HALFTONE_INTEGER_LAYOUTS(LINEAR_INT8, )

}  // namespace halftone
