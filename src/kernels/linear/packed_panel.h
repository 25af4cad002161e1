// SPDX-License-Identifier: Apache-2.0
// Where things lie in the panels of an integer layout, as constants (docs/layouts.md). Kernel files may include it:
// nothing here can emit a weak symbol.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/integer_layouts.h"

namespace halftone {
namespace {

enum class CodeKind : uint8_t { symmetric, affine };

template <int kBitsOfCode, int64_t kColumnsOfGroup, CodeKind kKind>
struct PackedPanel {
  static constexpr int kBits = kBitsOfCode;
  static constexpr int64_t kGroup = kColumnsOfGroup;  // 0: the row
  static constexpr bool kBlock = kGroup != 0, kAffine = kKind == CodeKind::affine;
  static constexpr int64_t kWidth = kBlock ? kGroup : 1;                   // to divide by
  static constexpr int kOffset = kAffine ? 0 : 1 << (kBits - 1);           // weight = (code - kOffset) * scale
  static constexpr int64_t kUnit = kBits == 3 ? 32 : kBits == 6 ? 16 : 8;  // columns are padded to it
  static constexpr int64_t kUnitBytes = 2 * kBits * kUnit, kColumnBytes = 2 * kBits;  // of codes
  static constexpr int64_t kGroupBytes = kAffine ? 64 : 32;                           // f16 of 16 rows; then the bases

  static constexpr int64_t kSumColumns = kBlock ? kGroup : 128;  // one exact integer sum (linear.h)

  static int64_t padded(int64_t columns) { return (columns + kUnit - 1) / kUnit * kUnit; }
  static int64_t head(int64_t columns) {  // bytes before the codes
    const int64_t groups = kBlock ? (columns + kWidth - 1) / kWidth : 1;
    return (groups * kGroupBytes + 63) / 64 * 64;
  }
  static int64_t bytes(int64_t columns) { return head(columns) + padded(columns) * kColumnBytes; }
  static int64_t scale_at(int64_t k) { return kBlock ? k / kWidth * kGroupBytes : 0; }
};

// Does a group begin at column k, a multiple of 32? Never for channel layouts.
template <class Panel>
inline bool at_group(int64_t k) {
  return Panel::kGroup == 32 || (Panel::kBlock && k % Panel::kWidth == 0);
}

}  // namespace
}  // namespace halftone
