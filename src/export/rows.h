// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "export/blocks.h"
#include "export/plan.h"

namespace halftone {

// Encodes rows of a planned tensor. One per thread; rows in order, by sixteens, where codes are chosen. A vector counts
// as one row, except that with head_dim its elements are what is reordered.
class RowEncoder {
 public:
  // Row `row` of the file as floats, from the source.
  const std::vector<float>& source_values(const PlannedTensor& tensor, int64_t row);
  // Row `row` of the file into `out`, which has the type's row_bytes. An error names tensor, row and column.
  Status encode(const PlannedTensor& tensor, int64_t row, std::byte* out);

 private:
  Status encode_floats(const PlannedTensor& tensor, int64_t row, std::byte* out);
  Status choose(const PlannedTensor& tensor, int64_t row);
  std::vector<float> values_, vector_;
  BlockRow blocks_;
  SearchedRows searched_;
};

}  // namespace halftone
