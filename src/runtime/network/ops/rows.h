// SPDX-License-Identifier: Apache-2.0
// A tensor seen along one axis: rows of `length` numbers, `inner` apart.
#pragma once

#include "runtime/network/ops/shapes.h"

namespace halftone::network::ops {

struct Rows {
  int64_t outer, length, inner;

  int64_t count() const { return outer * inner; }
  int64_t begin(int64_t row) const { return row / inner * length * inner + row % inner; }
};

// REQUIRES: `axis` went through axis_of.
inline Rows rows_along(const Shape& shape, int64_t axis, int64_t axes = 1) {
  const std::span<const int64_t> all(shape);
  const auto a = static_cast<size_t>(axis), n = static_cast<size_t>(axes);
  return {product(all.first(a)), product(all.subspan(a, n)), product(all.subspan(a + n))};
}

}  // namespace halftone::network::ops
