// SPDX-License-Identifier: Apache-2.0
// Ops of unpack.h on NEON. Only files of this ISA include it. vld4 takes dwords of 4 columns apart: register j has byte
// j of the dwords of 16 rows, and after unpacking, the codes of 16 rows in columns j, j + 4, ... of a unit.
#pragma once

#include <arm_neon.h>

#include <cstddef>

#include "kernels/linear/unpack.h"

namespace halftone {
namespace {

struct BytesNeon {
  template <int kShift, int kMask>
  static uint8x16_t field(uint8x16_t v) {
    if constexpr (kShift == 0)
      return vandq_u8(v, vdupq_n_u8(kMask));
    else if constexpr (kMask == 255 >> kShift)
      return vshrq_n_u8(v, kShift);
    else
      return vandq_u8(vshrq_n_u8(v, kShift), vdupq_n_u8(kMask));
  }
  template <int kShift, int kMask>
  static uint8x16_t merge(uint8x16_t into, uint8x16_t v) {
    return vorrq_u8(into, field<kShift, kMask>(v));
  }
};

inline const uint8_t* bytes_at(const std::byte* at) { return reinterpret_cast<const uint8_t*>(at); }

// body(column, codes of 16 rows) of each column of the unit at `at`.
template <int kBits, class Body>
inline __attribute__((always_inline)) void for_each_column(const std::byte* at, const Body& body) {
  constexpr int kQuads = Codes<kBits>::kQuads, kVectors = Codes<kBits>::kVectors;
  uint8x16x4_t vectors[kVectors];
  for (int i = 0; i < kVectors; ++i) vectors[i] = vld4q_u8(bytes_at(at + 64 * i));
  for (int j = 0; j < 4; ++j) {
    uint8x16_t bytes[kVectors], quads[kQuads];
    for (int i = 0; i < kVectors; ++i) bytes[i] = vectors[i].val[j];
    Codes<kBits>::template unpack<BytesNeon>(bytes, quads);
    for (int quad = 0; quad < kQuads; ++quad) body(4 * quad + j, quads[quad]);
  }
}

}  // namespace
}  // namespace halftone
