// SPDX-License-Identifier: Apache-2.0
// Scales and bases of 8 rows (half 0 or 1 of a panel) on AVX2. Only files of this ISA include it.
#pragma once

#include "kernels/linear/bytes_avx2.h"
#include "kernels/linear/packed_panel.h"

namespace halftone {
namespace {

inline __m256 load_halves(const std::byte* at) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
}
inline __m256i load_dwords(const std::byte* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }

// 8 bytes as numbers.
template <bool kSigned>
inline __m256 load_bytes(const std::byte* at) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at));
  return _mm256_cvtepi32_ps(kSigned ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes));
}

// Of the group that column k is in; both products are exact (tensor/layout.h).
template <class Panel>
inline __m256 load_scale(const std::byte* panel, int64_t k, int half) {
  const __m256 scale = load_halves(panel + Panel::scale_at(k) + half * 16);
  if (!Panel::kNested) return scale;
  return _mm256_mul_ps(scale, load_bytes<!Panel::kAffine>(panel + Panel::sub_scale_at(k) + half * 8));
}
template <class Panel>  // REQUIRES: affine
inline __m256 load_base(const std::byte* panel, int64_t k, int half) {
  const __m256 base = load_halves(panel + Panel::scale_at(k) + 32 + half * 16);
  if (!Panel::kNested) return base;
  const __m256 product = _mm256_mul_ps(base, load_bytes<false>(panel + Panel::sub_scale_at(k) + 16 + half * 8));
  return _mm256_xor_ps(product, _mm256_set1_ps(-0.0f));
}

}  // namespace
}  // namespace halftone
