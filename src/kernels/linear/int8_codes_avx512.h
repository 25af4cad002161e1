// SPDX-License-Identifier: Apache-2.0
// Integer panels on AVX-512: how stored bytes become vectors of dwords. Only files of this ISA include it.
#pragma once

#include "kernels/linear/linear_args.h"
#include "kernels/linear/panels_avx512.h"

namespace halftone {
namespace {

// Codes of the unit at `at`: quad q holds columns 4 q .. 4 q + 3 of 16 rows.
template <int kBits>
inline __attribute__((always_inline)) void load_unit(const std::byte* at, __m512i (&quads)[Codes<kBits>::kQuads]) {
  constexpr int kVectors = Codes<kBits>::kVectors;
  __m512i bytes[kVectors];
#pragma GCC unroll 5
  for (int i = 0; i < kVectors; ++i) bytes[i] = load_codes(at + 64 * i);
  Codes<kBits>::template unpack<BytesAvx512>(bytes, quads);
}

inline __m512i broadcast4(const int8_t* at) {
  int32_t four;
  __builtin_memcpy(&four, at, 4);
  return _mm512_set1_epi32(four);
}

// offset * (sum of 16 activations), in every lane. REQUIRES: offset < 128.
inline __attribute__((always_inline)) __m512i sum_of_16(const int8_t* x, int offset) {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
  const __m128i sums = _mm_dpbusd_epi32(_mm_setzero_si128(), _mm_set1_epi8(static_cast<char>(offset)), codes);
  const __m128i two = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4e));
  return _mm512_broadcastd_epi32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

// Into L2: for bytes that are not needed at once.
inline __attribute__((always_inline)) void prefetch_far(const std::byte* at, int64_t bytes) {
  for (int64_t line = 0; line < bytes; line += 64) _mm_prefetch(reinterpret_cast<const char*>(at + line), _MM_HINT_T1);
}

// Rows of a panel that exist.
inline __mmask16 lanes_of(int64_t rows, int64_t panel) {
  const int64_t left = rows - panel * 16;
  return left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
}

}  // namespace
}  // namespace halftone
