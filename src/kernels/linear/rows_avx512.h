// SPDX-License-Identifier: Apache-2.0
// Decoders of Order::rows for AVX-512: 64 bytes of 16 rows become columns in registers. 64 bytes of each row at a time,
// because rows are often a multiple of 4096 bytes apart: then 16 lines compete for the places of one L1 set and none
// would still be there for a second visit. For the same reason prefetches go to L2. Only files of this ISA include it.
#pragma once

#include "kernels/linear/panels_avx512.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

// 64 bytes of 16 rows, as they lie. kWhole: all rows exist and `bytes` is 64. Each row's address plus `ahead` is
// fetched when kFetch. Rows beyond last_row repeat it; their results are masked away.
template <bool kWhole, bool kFetch>
inline void load_rows(const std::byte* at, int64_t row_bytes, int64_t last_row, int64_t bytes, int64_t ahead,
                      __m512i (&raw)[16]) {
  const __mmask64 mask = ~uint64_t{0} >> (64 - bytes);
  unroll<16>([&](auto r) __attribute__((always_inline)) {
    if (kFetch) _mm_prefetch(reinterpret_cast<const char*>(at + ahead), _MM_HINT_T1);
    raw[r] = kWhole ? _mm512_loadu_si512(at) : _mm512_maskz_loadu_epi8(mask, at);
    if (kWhole || r < last_row) at += row_bytes;
  });
}

// Dwords of 16 rows become 16 registers of one dword of each row: pairs, quads, then 128-bit lanes.
inline void transpose_dwords(__m512i (&r)[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 4) {
    const __m512i a = _mm512_unpacklo_epi32(r[i], r[i + 1]), b = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    const __m512i c = _mm512_unpacklo_epi32(r[i + 2], r[i + 3]), d = _mm512_unpackhi_epi32(r[i + 2], r[i + 3]);
    t[i] = _mm512_unpacklo_epi64(a, c);
    t[i + 1] = _mm512_unpackhi_epi64(a, c);
    t[i + 2] = _mm512_unpacklo_epi64(b, d);
    t[i + 3] = _mm512_unpackhi_epi64(b, d);
  }
  for (int i = 0; i < 4; ++i) {
    const __m512i a = _mm512_shuffle_i32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_i32x4(t[i], t[i + 4], 0xdd);
    const __m512i c = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0x88);
    const __m512i d = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0xdd);
    r[i] = _mm512_shuffle_i32x4(a, c, 0x88);
    r[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
    r[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
}

// Words of 16 rows become registers of two columns: r[i] holds column i in its low half, i + 8 in its high half for
// i < 8; columns i + 8 and i + 16 for i >= 8.
inline void transpose_words(__m512i (&r)[16]) {
  for (int group = 0; group < 16; group += 8) {
    __m512i a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
      a[i] = _mm512_unpacklo_epi16(r[group + i], r[group + i + 1]);
      a[i + 1] = _mm512_unpackhi_epi16(r[group + i], r[group + i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
      b[i] = _mm512_unpacklo_epi32(a[i], a[i + 2]);
      b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 2]);
      b[i + 2] = _mm512_unpacklo_epi32(a[i + 1], a[i + 3]);
      b[i + 3] = _mm512_unpackhi_epi32(a[i + 1], a[i + 3]);
    }
    for (int i = 0; i < 4; ++i) {
      r[group + 2 * i] = _mm512_unpacklo_epi64(b[i], b[i + 4]);
      r[group + 2 * i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 4]);
    }
  }
  const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11),
                last = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  for (int i = 0; i < 8; ++i) {
    const __m512i low = _mm512_permutex2var_epi64(r[i], first, r[i + 8]);
    r[i + 8] = _mm512_permutex2var_epi64(r[i], last, r[i + 8]);
    r[i] = low;
  }
}

// transpose(raw): 64 bytes of each row become columns; column<i>(raw): the i-th of them as f32.
struct F32Rows {
  static constexpr int64_t kBytes = 4;
  static void transpose(__m512i (&raw)[16]) { transpose_dwords(raw); }
  template <int kColumn>
  static __m512 column(const __m512i (&raw)[16]) {
    return _mm512_castsi512_ps(raw[kColumn]);
  }
};
struct F16Rows {
  static constexpr int64_t kBytes = 2;
  static void transpose(__m512i (&raw)[16]) { transpose_words(raw); }
  template <int kColumn>
  static __m512 column(const __m512i (&raw)[16]) {
    const __m512i two = raw[kColumn / 16 * 8 + kColumn % 8];
    return _mm512_cvtph_ps(kColumn / 8 % 2 == 0 ? _mm512_castsi512_si256(two) : _mm512_extracti64x4_epi64(two, 1));
  }
};
struct Bf16Rows {
  static constexpr int64_t kBytes = 2;
  static void transpose(__m512i (&raw)[16]) { transpose_dwords(raw); }
  template <int kColumn>
  static __m512 column(const __m512i (&raw)[16]) {
    const __m512i pair = raw[kColumn / 2];
    return _mm512_castsi512_ps(kColumn % 2 == 0
                                   ? _mm512_slli_epi32(pair, 16)
                                   : _mm512_and_si512(pair, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
  }
};

}  // namespace
}  // namespace halftone
