// SPDX-License-Identifier: Apache-2.0
// Decoders of panel16 for AVX-512: columns of 16 rows as f32, one register per column. Only files of this ISA include
// it.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/linear/unroll.h"

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
// prefetched. eight(k).column<i>() is column k + i, decoded when asked for; k is a multiple of 8. some(k, n, out): the
// n < 8 columns from k that end the panel, reading none beyond, as [8][16].
struct F32Panel {
  const std::byte* data;
  static constexpr int64_t kColumnBytes = 64, kAhead = 64;
  static constexpr bool kHasBlocks = false;
  static int64_t head(int64_t) { return 0; }
  static int64_t bytes(int64_t columns) { return columns * 64; }
  F32Panel(const std::byte* panel, int64_t) : data(panel) {}
  struct Eight {
    const std::byte* at;
    template <int kColumn>
    __m512 column() const {
      return _mm512_loadu_ps(at + kColumn * 64);
    }
  };
  Eight eight(int64_t k) const { return {data + k * 64}; }
  void some(int64_t k, int n, float* out) const {
    for (int i = 0; i < n; ++i) _mm512_store_ps(out + i * 16, _mm512_loadu_ps(data + (k + i) * 64));
  }
};

struct F16Panel {
  const std::byte* data;
  static constexpr int64_t kColumnBytes = 32, kAhead = 128;
  static constexpr bool kHasBlocks = false;
  static int64_t head(int64_t) { return 0; }
  static int64_t bytes(int64_t columns) { return round_up_to(columns * 32, 64); }
  F16Panel(const std::byte* panel, int64_t) : data(panel) {}
  struct Eight {
    const std::byte* at;
    template <int kColumn>
    __m512 column() const {
      return load_halves(at + kColumn * 32);
    }
  };
  Eight eight(int64_t k) const { return {data + k * 32}; }
  void some(int64_t k, int n, float* out) const {
    for (int i = 0; i < n; ++i) _mm512_store_ps(out + i * 16, load_halves(data + (k + i) * 32));
  }
};

struct Bf16Panel {
  const std::byte* data;
  static constexpr int64_t kColumnBytes = 32, kAhead = 128;
  static constexpr bool kHasBlocks = false;
  static int64_t head(int64_t) { return 0; }
  static int64_t bytes(int64_t columns) { return round_up_to(columns, 2) * 32; }
  Bf16Panel(const std::byte* panel, int64_t) : data(panel) {}
  static __m512 even(__m512i pair) { return _mm512_castsi512_ps(_mm512_slli_epi32(pair, 16)); }
  static __m512 odd(__m512i pair) {
    return _mm512_castsi512_ps(_mm512_and_si512(pair, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
  }
  struct Eight {
    const std::byte* at;
    template <int kColumn>
    __m512 column() const {
      const __m512i pair = load_codes(at + kColumn / 2 * 64);
      return kColumn % 2 == 0 ? even(pair) : odd(pair);
    }
  };
  Eight eight(int64_t k) const { return {data + k * 32}; }
  void some(int64_t k, int n, float* out) const {
    for (int i = 0; i < n; i += 2) {
      const __m512i pair = load_codes(data + (k + i) * 32);
      _mm512_store_ps(out + i * 16, even(pair));
      _mm512_store_ps(out + i * 16 + 16, odd(pair));
    }
  }
};

// Columns of integer codes without a conversion: a code whose lowest bit is bit kBit of a dword becomes the mantissa of
// 2^(23 - kBit) + code, and (2^(23 - kBit) + code) * scale - (2^(23 - kBit) + offset) * scale is rounded once; as
// q * scale and the second product are representable (24 bits at most for kBit >= 8), the result is exact.
template <int kBit>
constexpr float kMagic = static_cast<float>(1 << (23 - kBit));
template <int kBit, int kCodeBits>
inline __m512 magic_code(__m512i dwords) {
  constexpr int kAndOr = 0xea, kMask = ((1 << kCodeBits) - 1) << kBit, kExponent = (127 + 23 - kBit) << 23;
  return _mm512_castsi512_ps(
      _mm512_ternarylogic_epi32(dwords, _mm512_set1_epi32(kMask), _mm512_set1_epi32(kExponent), kAndOr));
}

template <bool kBlock>
struct Int8Panel {
  const std::byte *scales, *codes;
  static constexpr int64_t kColumnBytes = 16, kAhead = 256;
  static constexpr bool kHasBlocks = kBlock;
  static int64_t head(int64_t columns) { return scale_bytes_of(columns, kBlock); }
  static int64_t bytes(int64_t columns) { return head(columns) + round_up_to(columns, 8) * 16; }
  Int8Panel(const std::byte* panel, int64_t columns) : scales(panel), codes(panel + head(columns)) {}
  struct Eight {
    const std::byte* at;
    __m512 scale, zero;
    template <int kColumn>
    __m512 column() const {
      const __m512i four = load_codes(at + kColumn / 4 * 64);
      constexpr int kByte = kColumn % 4;
      const __m512i second = kByte == 0   ? _mm512_slli_epi32(four, 8)
                             : kByte == 1 ? four
                                          : _mm512_srli_epi32(four, kByte == 2 ? 8 : 16);
      return _mm512_fmadd_ps(magic_code<8, 8>(second), scale, zero);
    }
  };
  Eight eight(int64_t k) const {
    const __m512 scale = load_halves(scales + (kBlock ? k / 32 * 32 : 0));
    return {codes + k * 16, scale, _mm512_mul_ps(scale, _mm512_set1_ps(-kMagic<8> - 128))};
  }
  void some(int64_t k, int, float* out) const {
    const Eight all = eight(k);
    unroll<8>([&](auto i) { _mm512_store_ps(out + i * 16, all.template column<i.kValue>()); });
  }
};

template <bool kBlock>
struct Int4Panel {
  const std::byte *scales, *codes;
  static constexpr int64_t kColumnBytes = 8, kAhead = 256;
  static constexpr bool kHasBlocks = kBlock;
  static int64_t head(int64_t columns) { return scale_bytes_of(columns, kBlock); }
  static int64_t bytes(int64_t columns) { return head(columns) + round_up_to(columns, 8) * 8; }
  Int4Panel(const std::byte* panel, int64_t columns) : scales(panel), codes(panel + head(columns)) {}
  // Columns 1, 5, 2 lie at bits 8, 12, 16 as they are; 6, 3, 7 after a shift to the right, 0 and 4 after one to the
  // left.
  struct Eight {
    __m512i middle, upper, lower;
    __m512 scale, zero8, zero12, zero16;
    template <int kColumn>
    __m512 column() const {
      constexpr int kBit = kColumn < 4 ? 8 * kColumn : 8 * (kColumn - 4) + 4;
      constexpr int kMoved = kBit < 8 ? kBit + 8 : kBit > 16 ? kBit - 12 : kBit;
      const __m512i dwords = kBit < 8 ? lower : kBit > 16 ? upper : middle;
      return _mm512_fmadd_ps(magic_code<kMoved, 4>(dwords), scale,
                             kMoved == 8    ? zero8
                             : kMoved == 12 ? zero12
                                            : zero16);
    }
  };
  Eight eight(int64_t k) const {
    const __m512 scale = load_halves(scales + (kBlock ? k / 32 * 32 : 0));
    const __m512i codes8 = load_codes(codes + k * 8);
    return {codes8,
            _mm512_srli_epi32(codes8, 12),
            _mm512_slli_epi32(codes8, 8),
            scale,
            _mm512_mul_ps(scale, _mm512_set1_ps(-kMagic<8> - 8)),
            _mm512_mul_ps(scale, _mm512_set1_ps(-kMagic<12> - 8)),
            _mm512_mul_ps(scale, _mm512_set1_ps(-kMagic<16> - 8))};
  }
  void some(int64_t k, int, float* out) const {
    const Eight all = eight(k);
    unroll<8>([&](auto i) { _mm512_store_ps(out + i * 16, all.template column<i.kValue>()); });
  }
};

}  // namespace
}  // namespace halftone
