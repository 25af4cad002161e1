// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "kernels/linear/linear_args.h"

namespace halftone {
namespace {

// Up to 32 columns as two registers; columns beyond n are zero.
inline void load32(const float* x, int64_t n, __m512 (&v)[2]) {
  if (n >= 32) {
    v[0] = _mm512_loadu_ps(x);
    v[1] = _mm512_loadu_ps(x + 16);
    return;
  }
  const uint32_t mask = (1u << n) - 1;
  v[0] = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), x);
  v[1] = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), x + 16);
}

}  // namespace

void quantize_activations_avx512(const float* x, int64_t columns, float fixed_scale, int8_t* codes, float* scales,
                                 int32_t* sums) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  const __m512 low = _mm512_set1_ps(-127.0f), high = _mm512_set1_ps(127.0f);
  for (int64_t begin = 0; begin < columns; begin += kActivationBlock) {
    const int64_t end = begin + kActivationBlock < columns ? begin + kActivationBlock : columns;
    const int groups = static_cast<int>((end - begin + kActivationGroup - 1) / kActivationGroup);
    __m512 v[4][2];
    __m512i largest = _mm512_setzero_si512();
    for (int g = 0; g < groups; ++g) {
      load32(x + begin + g * 32, end - begin - g * 32, v[g]);
      for (int i = 0; i < 2; ++i) {
        largest = _mm512_max_epu32(largest, _mm512_and_si512(_mm512_castps_si512(v[g][i]), magnitude));
      }
    }
    const uint32_t top = _mm512_reduce_max_epu32(largest);
    const bool finite = top < 0x7f800000u;
    const uint32_t bits = finite ? top : 0x7fc00000u;
    float scale;
    __builtin_memcpy(&scale, &bits, 4);
    if (finite) scale = fixed_scale > 0 ? fixed_scale : scale / 127.0f;
    scales[begin / kActivationBlock] = scale;
    const __mmask16 keep = finite && scale > 0 ? 0xffff : 0;
    const __m512 divisor = _mm512_set1_ps(scale);
    for (int g = 0; g < groups; ++g) {
      __m512i sum = _mm512_setzero_si512();
      for (int i = 0; i < 2; ++i) {
        const __m512 ratio = _mm512_maskz_div_ps(keep, v[g][i], divisor);
        const __m512i code = _mm512_cvtps_epi32(_mm512_max_ps(_mm512_min_ps(ratio, high), low));
        sum = _mm512_add_epi32(sum, code);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + begin + g * 32 + i * 16), _mm512_cvtepi32_epi8(code));
      }
      sums[begin / kActivationGroup + g] = _mm512_reduce_add_epi32(sum);
    }
  }
}

}  // namespace halftone
