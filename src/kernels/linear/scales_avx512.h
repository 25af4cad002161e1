// SPDX-License-Identifier: Apache-2.0
// Scales and bases of the 16 rows of a panel on AVX-512. Only files of this ISA include it.
#pragma once

#include "kernels/linear/bytes_avx512.h"
#include "kernels/linear/packed_panel.h"

namespace halftone {
namespace {

inline __m512i load_codes(const std::byte* at) { return _mm512_loadu_si512(at); }
inline __m512 load_halves(const std::byte* at) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}

// 16 bytes as numbers.
template <bool kSigned>
inline __m512 load_bytes(const std::byte* at) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  return _mm512_cvtepi32_ps(kSigned ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes));
}

// Of the group that column k is in; both products are exact (tensor/layout.h).
template <class Panel>
inline __m512 load_scale(const std::byte* panel, int64_t k) {
  const __m512 scale = load_halves(panel + Panel::scale_at(k));
  if (!Panel::kNested) return scale;
  return _mm512_mul_ps(scale, load_bytes<!Panel::kAffine>(panel + Panel::sub_scale_at(k)));
}
template <class Panel>  // REQUIRES: affine
inline __m512 load_base(const std::byte* panel, int64_t k) {
  const __m512 base = load_halves(panel + Panel::scale_at(k) + 32);
  if (!Panel::kNested) return base;
  return _mm512_xor_ps(_mm512_mul_ps(base, load_bytes<false>(panel + Panel::sub_scale_at(k) + 16)),
                       _mm512_set1_ps(-0.0f));
}

}  // namespace
}  // namespace halftone
