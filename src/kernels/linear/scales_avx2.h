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

// Of 8 rows: half 0 or 1 of a panel. All products are exact (tensor/layout.h).
template <class Panel, bool kNested = Panel::kNested>
struct GroupScales {
  // What groups share from column k on, k being a multiple of 128 or of a group.
  GroupScales(const std::byte*, int64_t, int) {}
  // Of the group that column k is in.
  __m256 scale(const std::byte* panel, int64_t k, int half) const {
    return load_halves(panel + Panel::scale_at(k) + half * 16);
  }
  __m256 base(const std::byte* panel, int64_t k, int half) const {
    return load_halves(panel + Panel::scale_at(k) + 32 + half * 16);
  }
  // s + xsum * base
  __m256 add_base(const std::byte* panel, int64_t k, int half, __m256 xsum, __m256 s) const {
    return _mm256_fmadd_ps(xsum, base(panel, k, half), s);
  }
};

template <class Panel>
struct GroupScales<Panel, true> {
  __m256 shared, shared_base;
  GroupScales(const std::byte* panel, int64_t k, int half)
      : shared(load_halves(panel + Panel::scale_at(k) + half * 16)), shared_base(_mm256_setzero_ps()) {
    if (Panel::kAffine) shared_base = load_halves(panel + Panel::scale_at(k) + 32 + half * 16);
  }
  __m256 scale(const std::byte* panel, int64_t k, int half) const {
    return _mm256_mul_ps(shared, load_bytes<!Panel::kAffine>(panel + Panel::sub_scale_at(k) + half * 8));
  }
  __m256 minus_base(const std::byte* panel, int64_t k, int half) const {
    return _mm256_mul_ps(shared_base, load_bytes<false>(panel + Panel::sub_scale_at(k) + 16 + half * 8));
  }
  __m256 base(const std::byte* panel, int64_t k, int half) const {
    return _mm256_xor_ps(minus_base(panel, k, half), _mm256_set1_ps(-0.0f));
  }
  __m256 add_base(const std::byte* panel, int64_t k, int half, __m256 xsum, __m256 s) const {
    return _mm256_fnmadd_ps(xsum, minus_base(panel, k, half), s);
  }
};

}  // namespace
}  // namespace halftone
