// SPDX-License-Identifier: Apache-2.0
// How numbers are stored. A layout packs codes and scales that a method chose, and can always decode them again; it
// chooses nothing itself. Byte layouts: docs/layouts.md.
//
// Order::rows     float layouts only: row-major as found in a file, mapped, possibly unaligned.
// Order::panel16  16 rows in lanes; rows padded to 16 with zeros; panels follow each other, all multiples of 64 bytes.
//   f32, f16      [k][16 rows]
//   bf16          [k / 2][16 rows][2]: pairs of k, what bf16 dot instructions read; an odd last k is paired with zero
//   int8_*        scales, then [k / 4][16 rows][4]: a dword is 4 consecutive k of one row; code = q + 128
//   int4_*        scales, then [k / 8][16 rows] dwords; byte j: k + j in the low nibble, k + 4 + j in the high; q + 8
//   scales        f16 [groups][16 rows], padded to 64 bytes; a group is 32 columns (block32) or the row (channel);
//                 the last group may be partial. Columns are padded to 8 with the code of zero.
// A decoded weight is exactly float(q) * scale (8 + 11 significant bits fit a float), so kernels agree on its value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace halftone {

enum class LayoutId : uint8_t { f32, f16, bf16, int8_channel, int8_block32, int4_channel, int4_block32 };
enum class Order : uint8_t { rows, panel16 };

inline constexpr int kPanelRows = 16;

// Up to 16 rows before packing. Float layouts read `values` (16, columns), rounding to nearest; integer layouts read
// `codes` (16, columns), signed, and `scales` (16, groups) as f16 bits. Rows beyond the matrix are zeros.
struct PanelSource {
  int64_t columns;
  const float* values;
  const int8_t* codes;
  const uint16_t* scales;
};

struct Layout {
  std::string_view name;  // "int4_block32"
  LayoutId id;
  int bits;          // of one code
  int group;         // columns that share a scale; 0: the whole row; -1: no scales
  int offset;        // stored code = q + offset
  int q_min, q_max;  // symmetric range of signed codes; both 0 for floats

  bool is_float() const { return group < 0; }
  int64_t groups(int64_t columns) const;       // scales per row
  int64_t scale_bytes(int64_t columns) const;  // of one panel, padding included
  int64_t panel_bytes(int64_t columns) const;
  int64_t bytes(int64_t rows, int64_t columns, Order order) const;

  void (*pack_panel)(const PanelSource& source, std::span<std::byte> panel);
  // Row r of the panel, decoded to (columns) floats.
  void (*decode_row)(std::span<const std::byte> panel, int r, int64_t columns, float* out);
};

std::span<const Layout* const> all_layouts();
const Layout& layout_of(LayoutId id);
const Layout* find_layout(std::string_view name);  // hyphen equals underscore; null when unknown

// A matrix as stored; borrowed from a mapped file. data may be unaligned for Order::rows.
struct WeightView {
  const Layout* layout = nullptr;
  Order order = Order::rows;
  int64_t rows = 0, columns = 0;
  std::span<const std::byte> data;
};

// Row `row` of a matrix in either order, decoded to (columns) floats. REQUIRES: row < rows, data of layout->bytes().
void decode_row(const WeightView& weight, int64_t row, float* out);

}  // namespace halftone
