// SPDX-License-Identifier: Apache-2.0
// Integer panels on AVX-512: how stored bytes become vectors of dwords. Only files of this ISA include it.
#pragma once

#include "kernels/linear/linear_args.h"
#include "kernels/linear/palette_bytes.h"
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

// What the codes of a panel stand for: themselves, or bytes of palettes.
template <class Panel, bool kPalette = Panel::kPalette>
struct Meaning {
  void load(const std::byte*) {}
  template <int kQuads>
  void apply(__m512i (&)[kQuads]) const {}
  static __m512 row_scales(const std::byte* panel) { return load_halves(panel); }  // channel layouts
};

template <class Panel>
struct Meaning<Panel, true> {
  __m512i tables[Panel::kTables];

  static void bytes_of(const std::byte* panel, PaletteBytes<Panel>& out) {
    alignas(64) float numbers[(Panel::kNumbers + 15) / 16 * 16], row_scales[16];
    for (int i = 0; i < Panel::kNumbers; i += 16) _mm512_store_ps(numbers + i, load_halves(panel + 2 * i));
    if (Panel::kScaled) _mm512_store_ps(row_scales, load_halves(panel + Panel::kScaleAt));
    make_palette_bytes<Panel>(numbers, row_scales, out);
  }
  void load(const std::byte* panel) {
    PaletteBytes<Panel> bytes;
    bytes_of(panel, bytes);
    for (int i = 0; i < Panel::kTables; ++i) tables[i] = _mm512_load_si512(bytes.tables[i]);
  }
  static __m512 row_scales(const std::byte* panel) {
    PaletteBytes<Panel> bytes;
    bytes_of(panel, bytes);
    return _mm512_load_ps(bytes.scales);
  }
  // A shuffle reads 4 bits of an index; the fifth and sixth choose between tables.
  inline __attribute__((always_inline)) __m512i at(__m512i codes) const {
    if constexpr (Panel::kRows == 1) {
      constexpr int kNext = Panel::kEntries * 0x01010101;
      codes = _mm512_or_si512(codes, _mm512_broadcast_i32x4(_mm_setr_epi32(0, kNext, 2 * kNext, 3 * kNext)));
    }
    __m512i bytes = _mm512_shuffle_epi8(tables[0], codes);
    if constexpr (Panel::kTables >= 2) {
      const __mmask64 odd = _mm512_test_epi8_mask(codes, _mm512_set1_epi8(16));
      bytes = _mm512_mask_shuffle_epi8(bytes, odd, tables[1], codes);
      if constexpr (Panel::kTables == 4) {
        const __mmask64 upper = _mm512_test_epi8_mask(codes, _mm512_set1_epi8(32));
        bytes = _mm512_mask_shuffle_epi8(bytes, upper, tables[2], codes);
        bytes = _mm512_mask_shuffle_epi8(bytes, upper & odd, tables[3], codes);
      }
    }
    return bytes;
  }
  template <int kQuads>
  inline __attribute__((always_inline)) void apply(__m512i (&quads)[kQuads]) const {
#pragma GCC unroll 8
    for (int i = 0; i < kQuads; ++i) quads[i] = at(quads[i]);
  }
};

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
