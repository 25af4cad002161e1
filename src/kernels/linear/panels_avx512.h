// SPDX-License-Identifier: Apache-2.0
// Decoders of panel16 for AVX-512: columns of 16 rows as f32, one register per column. Only files of this ISA include
// it.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/linear/linear_args.h"
#include "kernels/linear/scales_avx512.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

inline int64_t round_up_to(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// Always inlined: g++ takes a function that only prefetches for one without effect, and drops calls of it.
inline __attribute__((always_inline)) void prefetch(const std::byte* at, int64_t bytes) {
  for (int64_t line = 0; line < bytes; line += 64) _mm_prefetch(reinterpret_cast<const char*>(at + line), _MM_HINT_T0);
}

// kColumnBytes of codes per column follow head() bytes of scales. kAhead: columns between what is computed and what is
// prefetched. eight(k).column<i>() is column k + i, decoded when asked for; k is a multiple of 8. some(k, n, out): the
// n < 8 columns from k that end the panel, reading none beyond, as [8][16].
struct F32Panel {
  const std::byte* data;
  static constexpr int64_t kColumnBytes = 64, kAhead = 64;
  static constexpr bool kHasBlocks = false, kSeldom = false;
  static int64_t fetch_at(int64_t) { return 0; }
  static int64_t head(int64_t) { return 0; }
  static int64_t bytes(int64_t columns) { return columns * 64; }
  F32Panel(const std::byte* panel, const LinearArgs&) : data(panel) {}
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
  static constexpr bool kHasBlocks = false, kSeldom = false;
  static int64_t fetch_at(int64_t) { return 0; }
  static int64_t head(int64_t) { return 0; }
  static int64_t bytes(int64_t columns) { return round_up_to(columns * 32, 64); }
  F16Panel(const std::byte* panel, const LinearArgs&) : data(panel) {}
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
  static constexpr bool kHasBlocks = false, kSeldom = false;
  static int64_t fetch_at(int64_t) { return 0; }
  static int64_t head(int64_t) { return 0; }
  static int64_t bytes(int64_t columns) { return round_up_to(columns, 2) * 32; }
  Bf16Panel(const std::byte* panel, const LinearArgs&) : data(panel) {}
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

// What all integer panels know. Eight is made of the scale, the base (affine) and vectors of dwords.
template <class Packed>
struct IntegerPanel {
  const std::byte *scales, *codes;
  static constexpr int64_t kColumnBytes = Packed::kColumnBytes, kAhead = Packed::kBits == 8 ? 128 : 256;
  static constexpr bool kHasBlocks = Packed::kBlock, kSeldom = Packed::kSeldom;
  static int64_t head(int64_t columns) { return Packed::head(columns); }
  static int64_t bytes(int64_t columns) { return Packed::bytes(columns); }
  static int64_t fetch_at(int64_t k) { return Packed::fetch_at(k); }
  IntegerPanel(const std::byte* panel, const LinearArgs& args) : scales(panel), codes(panel + head(args.columns)) {}
  __m512 scale(int64_t k) const { return load_scale<Packed>(scales, k); }
  __m512 base(int64_t k) const {
    if constexpr (Packed::kAffine) return load_base<Packed>(scales, k);
    return _mm512_setzero_ps();
  }
  // Vector i of the unit that column k is in.
  __m512i vector(int64_t k, int i) const { return load_codes(codes + k / Packed::kUnit * Packed::kUnitBytes + 64 * i); }
};

template <class Eight>
inline void store_eight(const Eight& eight, float* out) {
  unroll<8>([&](auto i) { _mm512_store_ps(out + i * 16, eight.template column<i.kValue>()); });
}

// Two quads, one code per byte, with other bits above it. What a code stands for is found before it is multiplied where
// the product with a power of two would be rounded: in nested layouts.
template <class Packed>
struct BytePanel : IntegerPanel<Packed> {
  using IntegerPanel<Packed>::IntegerPanel;
  static constexpr bool kDifference = Packed::kAffine || Packed::kNested;
  struct Eight {
    __m512i quads[2];
    __m512 scale, add;
    template <int kColumn>
    __m512 column() const {
      const __m512i four = quads[kColumn / 4];
      constexpr int kByte = kColumn % 4;
      const __m512i second = kByte == 0   ? _mm512_slli_epi32(four, 8)
                             : kByte == 1 ? four
                                          : _mm512_srli_epi32(four, kByte == 2 ? 8 : 16);
      const __m512 code = magic_code<8, Packed::kBits>(second);
      if (!kDifference) return _mm512_fmadd_ps(code, scale, add);
      const __m512 q = _mm512_sub_ps(code, _mm512_set1_ps(kMagic<8> + static_cast<float>(Packed::kOffset)));
      return Packed::kAffine ? _mm512_fmadd_ps(q, scale, add) : _mm512_mul_ps(q, scale);
    }
  };
  Eight eight(int64_t k) const {
    const __m512 scale = this->scale(k);
    const __m512 zero = _mm512_mul_ps(scale, _mm512_set1_ps(-kMagic<8> - static_cast<float>(Packed::kOffset)));
    Eight all = {{}, scale, kDifference ? this->base(k) : zero};
    quads_of(k, all.quads);
    return all;
  }
  void quads_of(int64_t k, __m512i (&quads)[2]) const {
    const auto pair = static_cast<int>(k % Packed::kUnit / 8);
    if constexpr (Packed::kBits == 1) {
      quads[0] = _mm512_srl_epi32(this->vector(k, 0), _mm_cvtsi32_si128(2 * pair));
      quads[1] = _mm512_srli_epi32(quads[0], 1);
    } else if constexpr (Packed::kBits == 4) {
      quads[0] = this->vector(k, 0);
      quads[1] = _mm512_srli_epi32(quads[0], 4);
    } else if constexpr (Packed::kBits == 3) {
      const __m512i bytes[3] = {this->vector(k, 0), this->vector(k, 1), this->vector(k, 2)};
      quads[0] = pair < 3 ? bytes[pair] : Codes<6>::fourth<BytesAvx512>(bytes);
      quads[1] = _mm512_srli_epi32(quads[0], 3);
    } else if constexpr (Packed::kBits == 2) {
      quads[0] = pair == 0 ? this->vector(k, 0) : _mm512_srli_epi32(this->vector(k, 0), 4);
      quads[1] = _mm512_srli_epi32(quads[0], 2);
    } else if constexpr (Packed::kBits == 5) {
      const __m512i bytes[5] = {this->vector(k, 0), this->vector(k, 1), this->vector(k, 2), this->vector(k, 3),
                                this->vector(k, 4)};
      quads[0] = pair < 2 ? bytes[2 * pair] : pair == 2 ? bytes[4] : Codes<5>::upper_of_two<BytesAvx512>(bytes, 2);
      quads[1] = pair < 2    ? bytes[2 * pair + 1]
                 : pair == 2 ? Codes<5>::upper_of_two<BytesAvx512>(bytes, 0)
                             : Codes<5>::last<BytesAvx512>(bytes);
    } else if (Packed::kBits == 8 || pair == 0) {
      quads[0] = this->vector(k, 0);
      quads[1] = this->vector(k, 1);
    } else {
      const __m512i bytes[3] = {this->vector(k, 0), this->vector(k, 1), this->vector(k, 2)};
      quads[0] = bytes[2];
      quads[1] = Codes<6>::fourth<BytesAvx512>(bytes);
    }
  }
  void some(int64_t k, int, float* out) const { store_eight(eight(k), out); }
};

// 4 bits, symmetric: columns 1, 5, 2 lie at bits 8, 12, 16 as they are; 6, 3, 7 after a shift to the right, 0 and 4
// after one to the left.
template <class Packed>
struct NibblePanel : IntegerPanel<Packed> {
  using IntegerPanel<Packed>::IntegerPanel;
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
    const __m512 scale = this->scale(k);
    const __m512i codes8 = this->vector(k, 0);
    return {codes8,
            _mm512_srli_epi32(codes8, 12),
            _mm512_slli_epi32(codes8, 8),
            scale,
            _mm512_mul_ps(scale, _mm512_set1_ps(-kMagic<8> - 8)),
            _mm512_mul_ps(scale, _mm512_set1_ps(-kMagic<12> - 8)),
            _mm512_mul_ps(scale, _mm512_set1_ps(-kMagic<16> - 8))};
  }
  void some(int64_t k, int, float* out) const { store_eight(eight(k), out); }
};

// A permute reads the low 4 bits of an index, so a shifted dword is one, and the table holds what codes stand for: 4
// bits affine, 3 bits with any bit above them.
template <class Packed>
struct TablePanel : IntegerPanel<Packed> {
  using IntegerPanel<Packed>::IntegerPanel;
  struct Eight {
    __m512i dwords;
    __m512 scale, base;
    template <int kColumn>
    __m512 column() const {
      constexpr int kShift = 8 * (kColumn % 4) + (kColumn < 4 ? 0 : Packed::kBits);
      const __m512 table = Packed::kBits == 4 ? _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
                           : Packed::kAffine  ? _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7)
                                              : _mm512_setr_ps(-4, -3, -2, -1, 0, 1, 2, 3, -4, -3, -2, -1, 0, 1, 2, 3);
      const __m512 code = _mm512_permutexvar_ps(_mm512_srli_epi32(dwords, kShift), table);
      return Packed::kAffine ? _mm512_fmadd_ps(code, scale, base) : _mm512_mul_ps(code, scale);
    }
  };
  Eight eight(int64_t k) const {
    static_assert(Packed::kBits == 3 || Packed::kAffine);
    const int64_t pair = k % Packed::kUnit / 8;
    if (pair < 3) return {this->vector(k, static_cast<int>(pair)), this->scale(k), this->base(k)};
    const __m512i bytes[3] = {this->vector(k, 0), this->vector(k, 1), this->vector(k, 2)};
    return {Codes<6>::fourth<BytesAvx512>(bytes), this->scale(k), this->base(k)};
  }
  void some(int64_t k, int, float* out) const { store_eight(eight(k), out); }
};

template <class Packed, int kBits = Packed::kBits, bool kAffine = Packed::kAffine>
struct PanelOf {
  using Type = BytePanel<Packed>;
};
template <class Packed>
struct PanelOf<Packed, 4, false> {
  using Type = NibblePanel<Packed>;
};
template <class Packed>
struct PanelOf<Packed, 4, true> {
  using Type = TablePanel<Packed>;
};
template <class Packed, bool kAffine>
struct PanelOf<Packed, 3, kAffine> {
  using Type = TablePanel<Packed>;
};

}  // namespace
}  // namespace halftone
