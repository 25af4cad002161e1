// SPDX-License-Identifier: Apache-2.0
// Ops of unpack.h on AVX-512. Only files of this ISA include it.
#pragma once

#include <immintrin.h>

#include "kernels/linear/unpack.h"

namespace halftone {
namespace {

struct BytesAvx512 {
  template <int kShift, int kMask>
  static inline __attribute__((always_inline)) __m512i field(__m512i v) {
    return _mm512_and_si512(kShift == 0 ? v : _mm512_srli_epi16(v, kShift), _mm512_set1_epi8(kMask));
  }
  template <int kShift, int kMask>
  static inline __attribute__((always_inline)) __m512i merge(__m512i into, __m512i v) {
    return _mm512_ternarylogic_epi32(into, _mm512_srli_epi16(v, kShift), _mm512_set1_epi8(kMask), 0xf8);  // a | (b & c)
  }
};

}  // namespace
}  // namespace halftone
