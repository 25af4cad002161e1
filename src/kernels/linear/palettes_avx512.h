// SPDX-License-Identifier: Apache-2.0
// Decoders of palettes for AVX-512, like those of panels_avx512.h. Up to 16 entries of one palette are a register, up
// to 64 four; more, and palettes of fewer rows than a panel has, are gathered from the panel, several times slower.
#pragma once

#include "kernels/linear/panels_avx512.h"

namespace halftone {
namespace {

// Code of column kColumn: the low bits of dwords, with others above them.
template <int kColumn>
inline __m512i codes_of(const __m512i (&quads)[2]) {
  return kColumn % 4 == 0 ? quads[kColumn / 4] : _mm512_srli_epi32(quads[kColumn / 4], 8 * (kColumn % 4));
}

// The entries that codes stand for, from the palettes at the beginning of a panel.
// Gathered: 4 bytes, of which the lower 2 are the entry; palettes do not end a panel.
template <class Packed, bool kOne = Packed::kRows == 16, int kBits = Packed::kBits>
struct Entries {
  const std::byte* panel;
  void load(const std::byte* from) { panel = from; }
  __m512 at(__m512i codes) const {
    __m512i index = _mm512_and_si512(codes, _mm512_set1_epi32(Packed::kEntries - 1));
    if constexpr (!kOne) {
      constexpr int kLog = Packed::kRows == 8 ? 3 : Packed::kRows == 4 ? 2 : 0;
      const __m512i rows = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
      index = _mm512_or_si512(index, _mm512_slli_epi32(_mm512_srli_epi32(rows, kLog), kBits));
    }
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_i32gather_epi32(index, panel, 2)));
  }
};

// A permute reads 4 bits of an index; palettes of fewer entries are repeated. A head has 64 bytes, so 32 may be loaded.
template <class Packed>
struct Entries<Packed, true, 4> {
  __m512 all;
  void load(const std::byte* panel) { all = load_halves(panel); }
  __m512 at(__m512i codes) const { return _mm512_permutexvar_ps(codes, all); }
};
template <class Packed>
struct Entries<Packed, true, 3> : Entries<Packed, true, 4> {
  void load(const std::byte* panel) {
    const __m512 first = load_halves(panel);
    this->all = _mm512_shuffle_f32x4(first, first, 0x44);
  }
};
template <class Packed>
struct Entries<Packed, true, 2> : Entries<Packed, true, 4> {
  void load(const std::byte* panel) {
    const __m512 first = load_halves(panel);
    this->all = _mm512_shuffle_f32x4(first, first, 0);
  }
};
template <class Packed>
struct Entries<Packed, true, 1> : Entries<Packed, true, 4> {
  void load(const std::byte* panel) {
    const __m512i low = _mm512_setr_epi32(0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1);
    this->all = _mm512_permutexvar_ps(low, load_halves(panel));
  }
};

// A permute of two registers reads 5 bits; the sixth chooses between two of them.
template <class Packed>
struct Entries<Packed, true, 6> {
  __m512 all[4];
  void load(const std::byte* panel) {
    for (int i = 0; i < 4; ++i) all[i] = load_halves(panel + 32 * i);
  }
  __m512 at(__m512i codes) const {
    const __mmask16 upper = _mm512_movepi32_mask(_mm512_slli_epi32(codes, 26));
    return _mm512_mask_blend_ps(upper, _mm512_permutex2var_ps(all[0], codes, all[1]),
                                _mm512_permutex2var_ps(all[2], codes, all[3]));
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

}  // namespace
}  // namespace halftone
