// SPDX-License-Identifier: Apache-2.0
#include "export/searched_rows.h"

#include <algorithm>
#include <cmath>

#include "quantize/methods/method.h"

namespace halftone {

SearchedRows::Row SearchedRows::row(const void* key, const Layout& layout, int64_t rows, int64_t columns, int64_t row,
                                    const Read& read) {
  const int64_t first = row / kPanelRows * kPanelRows, count = std::min<int64_t>(kPanelRows, rows - first);
  const auto scale_count = static_cast<size_t>(layout.scale_count(columns));
  const auto groups = static_cast<size_t>(layout.is_nested() ? layout.groups(columns) : 0);
  if (key != key_ || first != first_) {
    const auto high = static_cast<size_t>(count);
    values_.resize(high * static_cast<size_t>(columns));
    for (int64_t i = 0; i < count; ++i) read(first + i, values_.data() + i * columns);
    for (float& value : values_) value = std::isfinite(value) ? value : 0;
    codes_.resize(values_.size());
    scales_.resize(high * scale_count);
    bases_.resize(layout.affine ? scales_.size() : 0);
    sub_scales_.resize(high * groups);
    sub_bases_.resize(layout.affine ? sub_scales_.size() : 0);
    find_method("search")->choose(layout, {values_, count, columns},
                                  {codes_, scales_, bases_, sub_scales_, sub_bases_});
    key_ = key;
    first_ = first;
  }
  const auto at = static_cast<size_t>(row - first);
  const auto part = [at](const auto& of, size_t width) {
    return std::span(of).subspan(of.empty() ? 0 : at * width, of.empty() ? 0 : width);
  };
  return {part(codes_, static_cast<size_t>(columns)), part(scales_, scale_count), part(bases_, scale_count),
          part(sub_scales_, groups), part(sub_bases_, groups)};
}

}  // namespace halftone
