// SPDX-License-Identifier: Apache-2.0
// Ops of unpack.h on AVX2. Only files of this ISA include it.
#pragma once

#include <immintrin.h>

#include "kernels/linear/unpack.h"

namespace halftone {
namespace {

struct BytesAvx2 {
  template <int kShift, int kMask>
  static __m256i field(__m256i v) {
    return _mm256_and_si256(kShift == 0 ? v : _mm256_srli_epi16(v, kShift), _mm256_set1_epi8(kMask));
  }
  template <int kShift, int kMask>
  static __m256i merge(__m256i into, __m256i v) {
    return _mm256_or_si256(into, field<kShift, kMask>(v));
  }
};

}  // namespace
}  // namespace halftone
