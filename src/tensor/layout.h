// SPDX-License-Identifier: Apache-2.0
// How numbers are stored. A layout packs codes and scales that a method chose, and can always decode them again; it
// chooses nothing itself. Byte layouts: docs/layouts.md.
//
// Order::rows     float layouts only: row-major as found in a file, mapped, possibly unaligned.
// Order::panel16  16 rows in lanes; rows padded to 16 with zeros; panels follow each other, all multiples of 64 bytes.
//   f32, f16      [k][16 rows]
//   bf16          [k / 2][16 rows][2]: pairs of k, what bf16 dot instructions read; an odd last k is paired with zero
//   integers      scales, then codes: 64 bytes at a time are [16 rows][4], a dword being 4 columns of one row, in units
//                 of 8 (4, 8 bits), 16 (2, 6 bits) or 32 (1, 3, 5 bits) columns, to which columns are padded with the
//                 code of 0
//   scales        f16 [groups][16 rows], padded to 64 bytes; affine: [groups][2][16 rows], scales and then bases
//   nested        scales of two levels: 256 columns (the last may be fewer) share f16 numbers, [16 rows] or
//                 [2][16 rows], and after these each of their groups has a byte like them, [groups of 256][16 rows] or
//                 [...][2][16 rows]
//   palettes      instead of scales: f16 [palettes][2^bits], in the order of the rows that have them; what more than
//                 16 rows share lies in each of their panels; scaled: then f16 [16 rows]; padded to 64 bytes
//   vectors       palettes whose entries are f16 [vector]: a code stands for a column of `vector` neighbouring rows.
//                 The panel is that of 16 / vector rows, `vector` quads (4 columns) of which lie side by side. What all
//                 rows share is the head of the matrix, before its panels.
//
// The value of a code, exact or rounded once to f32, so that kernels agree on it:
//   symmetric     float(q) * scale; 8 + 11 significant bits always fit a float
//   affine        float(u) * scale + base, where u = q + offset is the code as stored (0 .. 2^bits - 1); the product
//                 fits a float, the sum is rounded
//   palette       palette[u], u as in affine layouts; scaled: times the scale of the row, 11 + 11 bits
//   nested        as symmetric and affine with scale = d * sub and, affine, base = -(dmin * sub_base), d and dmin being
//                 the f16 numbers; both products, and that with a code, fit a float. sub is signed where the layout is
//                 symmetric.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tensor/dtype.h"
#include "tensor/integer_layouts.h"

namespace halftone {

#define HALFTONE_LAYOUT_ID(with, name, ...) name,
enum class LayoutId : uint8_t {
  f32,
  f16,
  bf16,
  HALFTONE_INTEGER_LAYOUTS(HALFTONE_LAYOUT_ID, ) HALFTONE_PALETTE_LAYOUTS(HALFTONE_LAYOUT_ID, )
      HALFTONE_VECTOR_LAYOUTS(HALFTONE_LAYOUT_ID, )
};
#undef HALFTONE_LAYOUT_ID
enum class Order : uint8_t { rows, panel16 };

inline constexpr int kPanelRows = 16;

// Up to 16 rows before packing. Float layouts read `values` (16, columns), rounding to nearest; integer layouts read
// `codes` (16, columns), signed, and `scales` (16, scale_count) as f16 bits; affine ones also `bases`, like scales;
// nested ones also `sub_scales` (16, groups), bytes as stored, and affine ones `sub_bases`; palettes read `codes`,
// `palettes` (panel_palettes, 2^bits, vector) as f16 bits and, scaled, `scales` (16, 1). Rows beyond the matrix are
// zeros; those of a vector have the same codes.
struct PanelSource {
  int64_t columns;
  const float* values;
  const int8_t* codes;
  const uint16_t* scales;
  const uint16_t* bases = nullptr;
  const uint8_t* sub_scales = nullptr;
  const uint8_t* sub_bases = nullptr;
  const uint16_t* palettes = nullptr;
};

struct Layout {
  std::string_view name;  // "int4_block32"
  LayoutId id;
  int bits;          // of one code
  int group;         // columns that share a scale; 0: the whole row; -1: no scales
  bool affine;       // groups have a base beside their scale
  int super;         // nested: columns that share the f16 numbers, a multiple of group; 0: groups have their own
  int offset;        // stored code u = q + offset, 2^(bits - 1)
  int q_min, q_max;  // range of signed codes that methods use (-offset fits, too); both 0 for floats
  int unit;          // columns are padded to a multiple of it
  int palette_rows;  // palettes: rows that share one, 0: all of the matrix; -1: no palettes
  bool scaled;       // palettes: rows have a scale

  bool is_float() const { return group < 0; }
  bool is_nested() const { return super > 0; }
  bool is_palette() const { return palette_rows >= 0; }
  int64_t groups(int64_t columns) const;           // per row
  int64_t scale_count(int64_t columns) const;      // f16 scales per row: one per group, or per `super` columns
  int64_t row_scale_bytes(int64_t columns) const;  // scales, bases and bytes of both levels that one row needs
  int64_t scale_bytes(int64_t columns) const;      // of one panel, bases, palettes and padding included
  int64_t panel_bytes(int64_t columns) const;
  int64_t head_bytes() const;  // before the first panel: the palette of a matrix, where panels have no copies
  int64_t panel_at(int64_t panel, int64_t columns) const { return head_bytes() + panel * panel_bytes(columns); }
  int64_t bytes(int64_t rows, int64_t columns, Order order) const;

  int entries() const { return 1 << bits; }           // of a palette
  int numbers() const { return entries() * vector; }  // that they are made of
  // Palettes in a panel, and rows of it that share one. REQUIRES: a palette layout.
  int panel_palettes() const { return kPanelRows / rows_of_palette(); }
  int rows_of_palette() const { return palette_rows == 0 || palette_rows > kPanelRows ? kPanelRows : palette_rows; }
  int64_t palette_bytes() const { return is_palette() && !shares_head() ? 2 * numbers() * panel_palettes() : 0; }
  bool shares_head() const { return vector > 1 && palette_rows == 0; }
  // Where in a panel (or the head) the f16 number that code u (as stored) of row r stands for is. REQUIRES: a palette
  // layout.
  int64_t entry_at(int u, int r) const { return 2 * ((r / rows_of_palette() * entries() + u) * vector + r % vector); }

  // Where in a panel the f16 scale and base number i (of scale_count) of row r are. REQUIRES: an integer layout or a
  // scaled palette; base_at: an affine one.
  int64_t scale_at(int64_t i, int r) const { return palette_bytes() + i * scale_stride() + r * 2; }
  int64_t base_at(int64_t i, int r) const { return scale_at(i, r) + kPanelRows * 2; }
  // Where the bytes of a group are. REQUIRES: a nested layout; sub_base_at: an affine one.
  int64_t sub_scale_at(int64_t group, int r) const;
  int64_t sub_base_at(int64_t group, int r) const { return sub_scale_at(group, r) + kPanelRows; }
  // The scale and base of a group as numbers, whatever the levels. REQUIRES: no palette.
  float scale_of(std::span<const std::byte> panel, int64_t group, int r) const;
  float base_of(std::span<const std::byte> panel, int64_t group, int r) const;

  // REQUIRES: `panel` has panel_bytes(columns).
  void pack_panel(const PanelSource& source, std::span<std::byte> panel) const { pack(*this, source, panel); }
  // Row r of the panel, decoded to (columns) floats. head: of the matrix, where the layout has one.
  void decode_row(std::span<const std::byte> panel, int r, int64_t columns, float* out,
                  std::span<const std::byte> head = {}) const {
    decode(*this, shares_head() ? head : panel, panel, r, columns, out);
  }
  // Row r of the panel as (columns) signed codes, u - offset. REQUIRES: no float layout.
  void unpack_codes(std::span<const std::byte> panel, int r, int64_t columns, int8_t* codes) const {
    unpack(*this, panel, r, columns, codes);
  }

  int64_t scale_stride() const;  // bytes of a panel from one f16 scale of a row to the next
  void (*pack)(const Layout&, const PanelSource&, std::span<std::byte>);
  // The second argument is where palettes are.
  void (*decode)(const Layout&, std::span<const std::byte>, std::span<const std::byte>, int, int64_t, float*);
  void (*unpack)(const Layout&, std::span<const std::byte>, int, int64_t, int8_t*);  // null for floats
  int vector = 1;  // palettes: rows that a code stands for
};

std::span<const Layout* const> all_layouts();
const Layout& layout_of(LayoutId id);
const Layout* float_layout_of(DType type);         // of weights as files have them; null: the type is none
const Layout* find_layout(std::string_view name);  // hyphen equals underscore; null when unknown

// f16 bits at byte `at` of a panel, as float: a scale or a base.
float half_at(std::span<const std::byte> panel, int64_t at);

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
