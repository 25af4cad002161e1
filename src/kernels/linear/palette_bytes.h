// SPDX-License-Identifier: Apache-2.0
// What palettes become for the int8 contract (linear.h): bytes that registers look up, and one scale for each row.
// Kernel files may include it.
#pragma once

#include "kernels/linear/packed_panel.h"

namespace halftone {
namespace {

// A panel of a palette layout as one whose weights are (byte - 128) * scale, a scale for each row.
template <int kBitsOfCode, int kRowsOfPalette, PaletteKind kKind>
struct BytePalette : PackedPalette<kBitsOfCode, kRowsOfPalette, kKind> {
  using Packed = PackedPalette<kBitsOfCode, kRowsOfPalette, kKind>;
  static constexpr bool kPalette = true;
  static constexpr int kOffset = 128;
  static constexpr int64_t kGroup = 0, kWidth = 1, kSumColumns = 128, kStep = 32;
  static constexpr int kPalettes = 16 / Packed::kRows, kNumbers = kPalettes * Packed::kEntries;  // of a panel
  // 16 bytes are 4 rows: what these look up together, the palettes of single rows one after the other.
  static constexpr int kTogether = Packed::kRows == 1 ? 4 * Packed::kEntries : Packed::kEntries;
  static constexpr int kTables = (kTogether + 15) / 16;
  static_assert(kTables <= 4);
  static int64_t scale_at(int64_t) { return 0; }  // no groups have any
  static int64_t sub_scale_at(int64_t) { return 0; }
};
template <int kBits, int kRows, PaletteKind kKind>
using BytePaletteOfRows = BytePalette<kBits, (kRows == 0 || kRows > 16 ? 16 : kRows), kKind>;

// What kernels look up. Table i holds entries 16 i ... of each 4 rows.
template <class Panel>
struct PaletteBytes {
  alignas(64) uint8_t tables[Panel::kTables][64];
  alignas(64) float scales[16];
};

inline uint32_t bits_of(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}

// numbers: the panel's entries as floats, rounded up to 16; row_scales: of the layout where it has them. A palette with
// an infinity or NaN gets the scale NaN and bytes of zero, so that the result shows it.
template <class Panel>
inline void make_palette_bytes(float* numbers, const float* row_scales, PaletteBytes<Panel>& out) {
  constexpr int kEntries = Panel::kEntries;
  constexpr float kToNearest = 12582912.0f;  // 1.5 * 2^23: added and taken away, it leaves the nearest even integer
  for (int p = 0; p < Panel::kPalettes; ++p) {
    float* const own = numbers + p * kEntries;
    uint32_t largest = 0;  // of the magnitudes' bits, which are ordered like the values, NaN above infinity
    for (int u = 0; u < kEntries; ++u) {
      const uint32_t magnitude = bits_of(own[u]) & 0x7fffffffu;
      largest = magnitude > largest ? magnitude : largest;
    }
    float most;
    __builtin_memcpy(&most, &largest, 4);
    const bool finite = largest < 0x7f800000u;
    const float scale = finite ? most / 127.0f : __builtin_nanf("");
    const float divisor = finite && scale > 0 ? scale : __builtin_inff();
    for (int u = 0; u < kEntries; ++u) own[u] = finite ? own[u] / divisor + kToNearest : kToNearest;
    for (int r = p * Panel::kRows; r < (p + 1) * Panel::kRows; ++r)
      out.scales[r] = Panel::kScaled ? scale * row_scales[r] : scale;
  }
  uint8_t bytes[Panel::kNumbers];
  for (int i = 0; i < Panel::kNumbers; ++i) bytes[i] = static_cast<uint8_t>(bits_of(numbers[i]) + 128);
  for (int lane = 0; lane < 4; ++lane) {
    const uint8_t* const from = bytes + 4 * lane / Panel::kRows * kEntries;
    for (int i = 0; i < Panel::kTables; ++i)
      __builtin_memcpy(out.tables[i] + 16 * lane, from + 16 * i, Panel::kTogether < 16 ? Panel::kTogether : 16);
  }
}

}  // namespace
}  // namespace halftone
