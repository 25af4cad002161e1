// SPDX-License-Identifier: Apache-2.0
// Decoders of panel16 for AVX-512: columns of 16 rows as f32, one register per column. Only files of this ISA include
// it.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace halftone {
namespace {

inline int64_t round_up_to(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

inline __m512i load_codes(const std::byte* at) { return _mm512_loadu_si512(at); }
inline __m512 load_halves(const std::byte* at) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}

// Always inlined: g++ takes a function that only prefetches for one without effect, and drops calls of it.
inline __attribute__((always_inline)) void prefetch(const std::byte* at, int64_t bytes) {
  for (int64_t line = 0; line < bytes; line += 64) _mm_prefetch(reinterpret_cast<const char*>(at + line), _MM_HINT_T0);
}

inline int64_t scale_bytes_of(int64_t columns, bool block) {
  const int64_t groups = block ? (columns + 31) / 32 : 1;
  return round_up_to(groups * 32, 64);
}

// kColumnBytes of codes per column follow head() bytes of scales. kAhead: columns between what is computed and what is
// prefetched. eight(k, w): columns k .. k + 7, k a multiple of 8. some(k, n, w): the n < 8 columns from k that end the
// panel, reading none beyond.
struct F32Panel {
  const std::byte* data;
  static constexpr int64_t kColumnBytes = 64, kAhead = 64;
  static constexpr bool kHasBlocks = false;
  static int64_t head(int64_t) { return 0; }
  static int64_t bytes(int64_t columns) { return columns * 64; }
  F32Panel(const std::byte* panel, int64_t) : data(panel) {}
  void eight(int64_t k, __m512 (&w)[8]) const {
    for (int i = 0; i < 8; ++i) w[i] = _mm512_loadu_ps(data + (k + i) * 64);
  }
  void some(int64_t k, int n, __m512 (&w)[8]) const {
    for (int i = 0; i < n; ++i) w[i] = _mm512_loadu_ps(data + (k + i) * 64);
  }
};

struct F16Panel {
  const std::byte* data;
  static constexpr int64_t kColumnBytes = 32, kAhead = 128;
  static constexpr bool kHasBlocks = false;
  static int64_t head(int64_t) { return 0; }
  static int64_t bytes(int64_t columns) { return round_up_to(columns * 32, 64); }
  F16Panel(const std::byte* panel, int64_t) : data(panel) {}
  void eight(int64_t k, __m512 (&w)[8]) const {
    for (int i = 0; i < 8; ++i) w[i] = load_halves(data + (k + i) * 32);
  }
  void some(int64_t k, int n, __m512 (&w)[8]) const {
    for (int i = 0; i < n; ++i) w[i] = load_halves(data + (k + i) * 32);
  }
};

struct Bf16Panel {
  const std::byte* data;
  static constexpr int64_t kColumnBytes = 32, kAhead = 128;
  static constexpr bool kHasBlocks = false;
  static int64_t head(int64_t) { return 0; }
  static int64_t bytes(int64_t columns) { return round_up_to(columns, 2) * 32; }
  Bf16Panel(const std::byte* panel, int64_t) : data(panel) {}
  void pair(int64_t k, __m512& even, __m512& odd) const {
    const __m512i both = load_codes(data + k * 32);
    even = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
    odd = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
  }
  void eight(int64_t k, __m512 (&w)[8]) const {
    for (int i = 0; i < 8; i += 2) pair(k + i, w[i], w[i + 1]);
  }
  void some(int64_t k, int n, __m512 (&w)[8]) const {
    for (int i = 0; i < n; i += 2) pair(k + i, w[i], w[i + 1]);
  }
};

template <bool kBlock>
struct Int8Panel {
  const std::byte *scales, *codes;
  static constexpr int64_t kColumnBytes = 16, kAhead = 256;
  static constexpr bool kHasBlocks = kBlock;
  static int64_t head(int64_t columns) { return scale_bytes_of(columns, kBlock); }
  static int64_t bytes(int64_t columns) { return head(columns) + round_up_to(columns, 8) * 16; }
  Int8Panel(const std::byte* panel, int64_t columns) : scales(panel), codes(panel + head(columns)) {}
  // float(code) * scale - 128 * scale is rounded once, and q * scale is representable: exact.
  template <int kByte>
  static __m512 column(__m512i four, __m512 scale, __m512 minus_zero_point) {
    const __m512i code = _mm512_and_si512(_mm512_srli_epi32(four, 8 * kByte), _mm512_set1_epi32(255));
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(code), scale, minus_zero_point);
  }
  void eight(int64_t k, __m512 (&w)[8]) const {
    const __m512 scale = load_halves(scales + (kBlock ? k / 32 * 32 : 0));
    const __m512 zero = _mm512_mul_ps(scale, _mm512_set1_ps(-128.0f));
    const __m512i first = load_codes(codes + k * 16), second = load_codes(codes + k * 16 + 64);
    w[0] = column<0>(first, scale, zero);
    w[1] = column<1>(first, scale, zero);
    w[2] = column<2>(first, scale, zero);
    w[3] = column<3>(first, scale, zero);
    w[4] = column<0>(second, scale, zero);
    w[5] = column<1>(second, scale, zero);
    w[6] = column<2>(second, scale, zero);
    w[7] = column<3>(second, scale, zero);
  }
  void some(int64_t k, int, __m512 (&w)[8]) const { eight(k, w); }
};

template <bool kBlock>
struct Int4Panel {
  const std::byte *scales, *codes;
  static constexpr int64_t kColumnBytes = 8, kAhead = 256;
  static constexpr bool kHasBlocks = kBlock;
  static int64_t head(int64_t columns) { return scale_bytes_of(columns, kBlock); }
  static int64_t bytes(int64_t columns) { return head(columns) + round_up_to(columns, 8) * 8; }
  Int4Panel(const std::byte* panel, int64_t columns) : scales(panel), codes(panel + head(columns)) {}
  // The permute reads only the low 4 bits of an index: a shifted dword is the index, and the table holds float(q).
  template <int kShift>
  static __m512 column(__m512i eight, __m512 table, __m512 scale) {
    return _mm512_mul_ps(_mm512_permutexvar_ps(_mm512_srli_epi32(eight, kShift), table), scale);
  }
  void eight(int64_t k, __m512 (&w)[8]) const {
    const __m512 table = _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
    const __m512 scale = load_halves(scales + (kBlock ? k / 32 * 32 : 0));
    const __m512i codes8 = load_codes(codes + k * 8);
    w[0] = column<0>(codes8, table, scale);
    w[1] = column<8>(codes8, table, scale);
    w[2] = column<16>(codes8, table, scale);
    w[3] = column<24>(codes8, table, scale);
    w[4] = column<4>(codes8, table, scale);
    w[5] = column<12>(codes8, table, scale);
    w[6] = column<20>(codes8, table, scale);
    w[7] = column<28>(codes8, table, scale);
  }
  void some(int64_t k, int, __m512 (&w)[8]) const { eight(k, w); }
};

}  // namespace
}  // namespace halftone
