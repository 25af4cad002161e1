// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tensor/layout.h"

namespace halftone {

// Codes for rows of floats, as the method `search` chooses them for a layout: what `quantize` would store. One per
// thread; takes 16 rows at a time, side by side, so rows are asked for in order.
class SearchedRows {
 public:
  // One row: codes (columns) as the layout counts, scales and bases (scale_count), and of nested layouts a byte per
  // group. Until the next call.
  struct Row {
    std::span<const int8_t> codes;
    std::span<const uint16_t> scales, bases;
    std::span<const uint8_t> sub_scales, sub_bases;
  };
  // Gives row `row` of what is written, (columns). What is not finite counts as zero: its row has an error of its own
  // when its turn comes.
  using Read = std::function<void(int64_t row, float* out)>;

  // `key` stands for the tensor: rows that were chosen for another are forgotten. Numbers that fit no f16 give
  // infinity.
  Row row(const void* key, const Layout& layout, int64_t rows, int64_t columns, int64_t row, const Read& read);

 private:
  const void* key_ = nullptr;
  int64_t first_ = -1;
  std::vector<float> values_;
  std::vector<int8_t> codes_;
  std::vector<uint16_t> scales_, bases_;
  std::vector<uint8_t> sub_scales_, sub_bases_;
};

}  // namespace halftone
