// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "kernels/linear/linear_args.h"

namespace halftone {
namespace {

inline uint32_t largest_lane(__m256i v) {
  __m128i m = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1))));
}
inline int32_t sum_lanes(__m256i v) {
  __m128i m = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  m = _mm_add_epi32(m, _mm_shuffle_epi32(m, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(m, _mm_shuffle_epi32(m, 0xb1)));
}

}  // namespace

void quantize_activations_avx2(const float* x, int64_t columns, float fixed_scale, int8_t* codes, float* scales,
                               int32_t* sums) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  const __m256 lowest = _mm256_set1_ps(-127.0f), highest = _mm256_set1_ps(127.0f);
  for (int64_t begin = 0; begin < columns; begin += kActivationBlock) {
    const int64_t left = columns - begin, used = left < kActivationBlock ? left : kActivationBlock;
    const int64_t padded = (used + kActivationGroup - 1) / kActivationGroup * kActivationGroup;
    alignas(32) float copy[kActivationBlock] = {};
    if (used < kActivationBlock) __builtin_memcpy(copy, x + begin, static_cast<size_t>(used) * 4);
    const float* from = used < kActivationBlock ? copy : x + begin;
    __m256i largest = _mm256_setzero_si256();
    for (int64_t k = 0; k < padded; k += 8) {
      largest = _mm256_max_epu32(largest, _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(from + k)), magnitude));
    }
    const uint32_t top = largest_lane(largest);
    const bool finite = top < 0x7f800000u;
    const uint32_t bits = finite ? top : 0x7fc00000u;
    float scale;
    __builtin_memcpy(&scale, &bits, 4);
    if (finite) scale = fixed_scale > 0 ? fixed_scale : scale / 127.0f;
    scales[begin / kActivationBlock] = scale;
    const __m256 keep = _mm256_castsi256_ps(_mm256_set1_epi32(finite && scale > 0 ? -1 : 0));
    const __m256 divisor = _mm256_set1_ps(scale);
    for (int64_t group = 0; group < padded; group += kActivationGroup) {
      __m256i code[4], sum = _mm256_setzero_si256();
      for (int i = 0; i < 4; ++i) {
        const __m256 ratio = _mm256_and_ps(_mm256_div_ps(_mm256_loadu_ps(from + group + i * 8), divisor), keep);
        code[i] = _mm256_cvtps_epi32(_mm256_max_ps(_mm256_min_ps(ratio, highest), lowest));
        sum = _mm256_add_epi32(sum, code[i]);
      }
      const __m256i words01 = _mm256_packs_epi32(code[0], code[1]), words23 = _mm256_packs_epi32(code[2], code[3]);
      // Packing works within 128-bit halves: the dwords of the result come in the order 0 2 4 6 1 3 5 7.
      const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
      const __m256i packed = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(words01, words23), order);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + begin + group), packed);
      sums[(begin + group) / kActivationGroup] = sum_lanes(sum);
    }
  }
}

}  // namespace halftone
