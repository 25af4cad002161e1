// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "export/plan.h"
#include "export/searched_rows.h"
#include "formats/gguf/blocks.h"

namespace halftone {

// Codes, scales and bases of one row on their way into blocks of GGUF: of 32 numbers each, or super-blocks.
struct BlockRow {
  std::vector<int8_t> codes;  // signed, as our layouts count
  std::vector<uint16_t> scales, bases;
  std::vector<KBlock> super_blocks;
};

bool is_super_block(const GgmlType& type);  // the K types

// Whether every row of the layout is codes and scales of the type.
bool carries(const Layout& layout, const GgmlType& type);
// Row `row` of the file as it is in the source. REQUIRES: carries().
Status carry_row(const PlannedTensor& tensor, int64_t row, BlockRow& out);
// The layout whose rows are the type's blocks. REQUIRES: a type with codes
const Layout& layout_like(const GgmlType& type);
// Row `row` of the file as codes that were chosen now for layout_like(). An error: a scale that fits no f16.
Status take_row(const PlannedTensor& tensor, int64_t row, const SearchedRows::Row& from, BlockRow& out);
// REQUIRES: `out` has the type's row_bytes.
void pack_row(const GgmlType& type, const BlockRow& row, std::byte* out);

}  // namespace halftone
