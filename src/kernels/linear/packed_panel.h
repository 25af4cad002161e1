// SPDX-License-Identifier: Apache-2.0
// Where things lie in the panels of an integer layout, as constants (docs/layouts.md). Kernel files may include it:
// nothing here can emit a weak symbol.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/linear/linear_args.h"
#include "tensor/integer_layouts.h"

namespace halftone {
namespace {

enum class CodeKind : uint8_t { symmetric, affine, nested_symmetric, nested_affine };

template <int kBitsOfCode, int64_t kColumnsOfGroup, CodeKind kKind>
struct PackedPanel {
  static constexpr int kBits = kBitsOfCode;
  static constexpr int64_t kGroup = kColumnsOfGroup;  // 0: the row
  static constexpr bool kBlock = kGroup != 0;
  static constexpr bool kNested = kKind == CodeKind::nested_symmetric || kKind == CodeKind::nested_affine;
  static constexpr bool kAffine = kKind == CodeKind::affine || kKind == CodeKind::nested_affine;
  static constexpr bool kPalette = false;
  static constexpr int64_t kWidth = kBlock ? kGroup : 1;          // to divide by
  static constexpr int kOffset = kAffine ? 0 : 1 << (kBits - 1);  // weight = (code - kOffset) * scale
  static constexpr int64_t kUnit = kBits % 2 == 1 ? 32 : kBits == 4 || kBits == 8 ? 8 : 16;  // columns, padded to it
  static constexpr int64_t kUnitBytes = 2 * kBits * kUnit, kColumnBytes = 2 * kBits;         // of codes

  static constexpr int64_t kSumColumns = kBlock ? kGroup : 128;  // one exact integer sum (linear.h)
  static constexpr int64_t kStep = kGroup == 16 ? 16 : 32;       // columns that are added before a group may end

  // f16 of 16 rows, then the bases, once per kShared columns; nested: bytes of the groups, and their bases, after them.
  static constexpr int64_t kLevels = kAffine ? 2 : 1, kShared = kNested ? 256 : kWidth;
  static constexpr int64_t kScaleBytes = (kNested ? 2 + kShared / kWidth : 2) * 16 * kLevels;

  // Layouts that imports bring, and the widths between 8 and 4 bits: they get fewer kernels for each count of tokens,
  // which are most of what the compiler works on.
  static constexpr bool kSeldom = kNested || kBits == 2 || kBits == 5 || (kAffine && kBits % 4 != 0);

  static int64_t padded(int64_t columns) { return (columns + kUnit - 1) / kUnit * kUnit; }
  static int64_t head(int64_t columns) {  // bytes before the codes
    const int64_t scales = kBlock ? (columns + kShared - 1) / kShared : 1;
    return (scales * kScaleBytes + 63) / 64 * 64;
  }
  static int64_t bytes(int64_t columns) { return head(columns) + padded(columns) * kColumnBytes; }
  static int64_t scale_at(int64_t k) { return kBlock ? k / kShared * kScaleBytes : 0; }
  static int64_t sub_scale_at(int64_t k) { return scale_at(k) + (2 + k % kShared / kWidth) * 16 * kLevels; }
  // What to fetch at every 32nd column, so that all scales come in time.
  static int64_t fetch_at(int64_t k) { return kNested ? k / 32 * (kScaleBytes / 8) : scale_at(k); }
};

enum class PaletteKind : uint8_t { plain, scaled };

// A panel of a palette layout, as those above; rows: that share a palette, 16 where more do. vector: rows that a code
// stands for. in_head: the palette is that of the matrix, before its panels.
template <int kBitsOfCode, int kRowsOfPalette, PaletteKind kKind, int kRowsOfCode = 1, bool kInHead = false>
struct PackedPalette {
  static constexpr int kBits = kBitsOfCode, kEntries = 1 << kBits, kRows = kRowsOfPalette, kVector = kRowsOfCode;
  static constexpr bool kScaled = kKind == PaletteKind::scaled, kHead = kInHead;
  static constexpr int64_t kUnit = (kBits % 2 == 1 ? 32 : kBits == 4 || kBits == 8 ? 8 : 16) * kVector;
  static constexpr int64_t kUnitBytes = 2 * kBits * kUnit / kVector, kColumnBytes = 2 * kBits / kVector;
  static constexpr int64_t kPaletteBytes = 16 / kRows * kEntries * 2 * kVector;
  static constexpr int64_t kScaleAt = kHead ? 0 : kPaletteBytes;  // f16 palettes come first, then scales

  static constexpr bool kBlock = false, kAffine = false, kNested = false, kSeldom = kBits != 4 || kRows != 16;
  static constexpr int kOffset = 0;

  static int64_t padded(int64_t columns) { return (columns + kUnit - 1) / kUnit * kUnit; }
  static int64_t head(int64_t) { return (kScaleAt + (kScaled ? 32 : 0) + 63) / 64 * 64; }
  static int64_t bytes(int64_t columns) { return head(columns) + padded(columns) * kColumnBytes; }
  static int64_t fetch_at(int64_t) { return 0; }
};

template <int kBits, int kRows, PaletteKind kKind>
using PaletteOfRows = PackedPalette<kBits, (kRows == 0 || kRows > 16 ? 16 : kRows), kKind>;
template <int kBits, int kVector, int kRows, PaletteKind kKind>
using VectorPalette = PackedPalette<kBits, 16, kKind, kVector, kRows == 0>;

// args of a matrix in a vector layout, and those of its panels.
template <class Packed>
inline LinearArgs behind_head(const LinearArgs& args) {
  LinearArgs panels = args;
  panels.head = args.weights;
  if (Packed::kHead) panels.weights += Packed::kPaletteBytes;
  return panels;
}

// Does a group begin at column k, a multiple of kStep? Never for channel layouts.
template <class Panel>
inline bool at_group(int64_t k) {
  return Panel::kGroup == Panel::kStep || (Panel::kBlock && k % Panel::kWidth == 0);
}

}  // namespace
}  // namespace halftone
