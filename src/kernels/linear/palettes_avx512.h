// SPDX-License-Identifier: Apache-2.0
// Decoders of palettes for AVX-512, like those of panels_avx512.h. Up to 64 entries, those of all rows together, are
// registers; more are gathered from the panel, several times slower.
#pragma once

#include "kernels/linear/panels_avx512.h"

namespace halftone {
namespace {

// Code of column kColumn: the low bits of dwords, with others above them.
template <int kColumn>
inline __m512i codes_of(const __m512i (&quads)[2]) {
  return kColumn % 4 == 0 ? quads[kColumn / 4] : _mm512_srli_epi32(quads[kColumn / 4], 8 * (kColumn % 4));
}

// Numbers of entries in a panel: codes, with any bits above them, where all rows share a palette; else counted from
// that of each row.
template <class Packed>
inline __m512i entry_of(__m512i codes) {
  if constexpr (Packed::kRows == 16) return codes;
  constexpr int kAndOr = 0xea, kLog = Packed::kRows == 8 ? 3 : Packed::kRows == 4 ? 2 : 0;
  const __m512i rows = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i first = _mm512_slli_epi32(_mm512_srli_epi32(rows, kLog), Packed::kBits);
  return _mm512_ternarylogic_epi32(codes, _mm512_set1_epi32(Packed::kEntries - 1), first, kAndOr);
}

constexpr int registers_for(int entries) { return entries <= 16 ? 1 : entries == 32 ? 2 : entries == 64 ? 4 : 0; }

// What codes stand for, from the palettes at the beginning of a panel. 0 registers: gathered, 4 bytes of which the
// lower 2 are the entry; palettes do not end a panel.
template <class Packed, int kRegisters = registers_for(Packed::kScaleAt / 2)>
struct Entries {
  const std::byte* panel;
  void load(const std::byte* from) { panel = from; }
  __m512 at(__m512i codes) const {
    const __m512i entry = entry_of<Packed>(codes);
    const __m512i index =
        Packed::kRows == 16 ? _mm512_and_si512(entry, _mm512_set1_epi32(Packed::kEntries - 1)) : entry;
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_i32gather_epi32(index, panel, 2)));
  }
};

// A permute reads 4 bits of an index; one palette of fewer entries is repeated. A head has 64 bytes, so 32 may be
// loaded.
template <class Packed>
struct Entries<Packed, 1> {
  __m512 all;
  void load(const std::byte* panel) {
    all = load_halves(panel);
    if constexpr (Packed::kRows == 16 && Packed::kBits == 3) all = _mm512_shuffle_f32x4(all, all, 0x44);
    if constexpr (Packed::kRows == 16 && Packed::kBits == 2) all = _mm512_shuffle_f32x4(all, all, 0);
    if constexpr (Packed::kRows == 16 && Packed::kBits == 1) {
      const __m512i low = _mm512_setr_epi32(0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1);
      all = _mm512_permutexvar_ps(low, all);
    }
  }
  __m512 at(__m512i codes) const { return _mm512_permutexvar_ps(entry_of<Packed>(codes), all); }
};

// A permute of two registers reads 5 bits; a sixth chooses between two of them.
template <class Packed>
struct Entries<Packed, 2> {
  __m512 all[2];
  void load(const std::byte* panel) {
    for (int i = 0; i < 2; ++i) all[i] = load_halves(panel + 32 * i);
  }
  __m512 at(__m512i codes) const { return _mm512_permutex2var_ps(all[0], entry_of<Packed>(codes), all[1]); }
};
template <class Packed>
struct Entries<Packed, 4> {
  __m512 all[4];
  void load(const std::byte* panel) {
    for (int i = 0; i < 4; ++i) all[i] = load_halves(panel + 32 * i);
  }
  __m512 at(__m512i codes) const {
    const __m512i entry = entry_of<Packed>(codes);
    const __mmask16 upper = _mm512_movepi32_mask(_mm512_slli_epi32(entry, 26));
    return _mm512_mask_blend_ps(upper, _mm512_permutex2var_ps(all[0], entry, all[1]),
                                _mm512_permutex2var_ps(all[2], entry, all[3]));
  }
};

template <class Packed>
struct PalettePanel : BytePanel<Packed> {
  using BytePanel<Packed>::BytePanel;
  struct Eight {
    __m512i quads[2];
    Entries<Packed> entries;
    __m512 scale;
    template <int kColumn>
    __m512 column() const {
      const __m512 entry = entries.at(codes_of<kColumn>(quads));
      return Packed::kScaled ? _mm512_mul_ps(entry, scale) : entry;
    }
  };
  Eight eight(int64_t k) const {
    Eight all;
    this->quads_of(k, all.quads);
    all.entries.load(this->scales);
    all.scale = Packed::kScaled ? load_halves(this->scales + Packed::kScaleAt) : _mm512_setzero_ps();
    return all;
  }
  void some(int64_t k, int, float* out) const { store_eight(eight(k), out); }
};

// Entries of several rows. What codes of one byte of a quad stand for are 32 halves: the 16 rows of column j and those
// of column j + 4. 64 entries of two rows are registers, others are gathered.
template <class Packed>
struct VectorPanel : IntegerPanel<Packed> {
  static constexpr int kVector = Packed::kVector;
  const std::byte* palette;
  VectorPanel(const std::byte* panel, const LinearArgs& args)
      : IntegerPanel<Packed>(panel, args), palette(Packed::kHead ? args.head : panel) {}
  struct Eight {
    __m512i halves[4];
    __m512 scale;
    template <int kColumn>
    __m512 column() const {
      const __m512i both = halves[kColumn % 4];
      const __m512 rows =
          _mm512_cvtph_ps(kColumn < 4 ? _mm512_castsi512_si256(both) : _mm512_extracti64x4_epi64(both, 1));
      return Packed::kScaled ? _mm512_mul_ps(rows, scale) : rows;
    }
  };
  // One code per byte, in 6 bits with others above them.
  __m512i quad_of(int64_t k) const {
    const auto quad = static_cast<int>(k % Packed::kUnit / (4 * kVector));
    if (Packed::kBits == 8 || quad < 3) return this->vector(k, quad);
    const __m512i bytes[3] = {this->vector(k, 0), this->vector(k, 1), this->vector(k, 2)};
    return Codes<6>::fourth<BytesAvx512>(bytes);
  }
  __m512i found(__m512i codes, int64_t k) const {
    if constexpr (kVector == 4) {
      const __m256i half = k % 16 == 0 ? _mm512_castsi512_si256(codes) : _mm512_extracti64x4_epi64(codes, 1);
      return _mm512_i32gather_epi64(_mm256_and_si256(half, _mm256_set1_epi32(255)), palette, 8);
    } else if constexpr (Packed::kBits == 6) {
      const __mmask16 upper = _mm512_movepi32_mask(_mm512_slli_epi32(codes, 26));
      return _mm512_mask_blend_epi32(
          upper, _mm512_permutex2var_epi32(load_codes(palette), codes, load_codes(palette + 64)),
          _mm512_permutex2var_epi32(load_codes(palette + 128), codes, load_codes(palette + 192)));
    } else {
      return _mm512_i32gather_epi32(_mm512_and_si512(codes, _mm512_set1_epi32(255)), palette, 4);
    }
  }
  Eight eight(int64_t k) const {
    const __m512i quad = quad_of(k);
    Eight all;
    unroll<4>([&](auto i) __attribute__((always_inline)) {
      all.halves[i] = found(i == 0 ? quad : _mm512_srli_epi32(quad, 8 * i), k);
    });
    all.scale = Packed::kScaled ? load_halves(this->scales + Packed::kScaleAt) : _mm512_setzero_ps();
    return all;
  }
  void some(int64_t k, int, float* out) const { store_eight(eight(k), out); }
};

}  // namespace
}  // namespace halftone
