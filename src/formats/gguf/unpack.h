// SPDX-License-Identifier: Apache-2.0
// GGUF blocks as the codes and scales of our layouts: which layout holds a type, and how a row becomes one of its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "formats/gguf/types.h"
#include "formats/import/import.h"
#include "tensor/layout.h"

namespace halftone {

struct GgufRowResult {
  double relative_error =
      0;  // the largest that rounding made, against the largest number of its group; 0: every number is the same float
  int64_t bad_column = -1;    // where a scale cannot be; -1: nowhere
  std::string_view bad_what;  // "scale"
  float bad_value = 0;
};

struct GgufUnpack {
  GgmlTypeId type;
  LayoutId layout;  // float layouts are stored in order rows, the others as panels
  GgufRowResult (*row)(const std::byte* row, int64_t columns, const RowSlot& slot);
  std::string_view note;  // what was done, where it is more than moving codes
};

// Null: no layout holds the type.
const GgufUnpack* find_gguf_unpack(const GgmlType& type);
std::string gguf_types_that_open();  // "f32, f16, ..."

}  // namespace halftone
