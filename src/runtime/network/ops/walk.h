// SPDX-License-Identifier: Apache-2.0
// Visits the positions of a shape in row-major order, for up to three strided views of it at once.
#pragma once

#include <algorithm>
#include <array>

#include "runtime/network/ops/shapes.h"

namespace halftone::network::ops {

class Walk {
 public:
  static constexpr size_t kViews = 3;
  using Offsets = std::array<int64_t, kViews>;

  // Views not given stay at offset 0. REQUIRES: strides as long as `shape`.
  Walk(const Shape& shape, const Strides& a, const Strides& b = {}, const Strides& c = {});

  int64_t elements() const { return elements_; }
  int64_t step(size_t view) const { return steps_.back()[view]; }  // along a run

  // body(offsets, position, count) for runs that cover the positions [begin, end): element i of a run is at
  // offsets[v] + i * step(v) of view v, and at position + i of the dense shape.
  template <class Body>
  void run(int64_t begin, int64_t end, Body&& body) const {
    const int64_t length = sizes_.back();
    int64_t along = begin % length, rest = begin / length;
    std::vector<int64_t> index(sizes_.size(), 0);
    Offsets at{};
    for (size_t axis = sizes_.size() - 1; axis-- > 0;) {
      index[axis] = rest % sizes_[axis];
      rest /= sizes_[axis];
      for (size_t v = 0; v < kViews; ++v) at[v] += index[axis] * steps_[axis][v];
    }
    while (begin < end) {
      Offsets here = at;
      for (size_t v = 0; v < kViews; ++v) here[v] += along * steps_.back()[v];
      const int64_t count = std::min(end - begin, length - along);
      body(here, begin, count);
      begin += count;
      along = 0;
      for (size_t axis = sizes_.size() - 1; axis-- > 0;) {
        for (size_t v = 0; v < kViews; ++v) at[v] += steps_[axis][v];
        if (++index[axis] < sizes_[axis]) break;
        for (size_t v = 0; v < kViews; ++v) at[v] -= sizes_[axis] * steps_[axis][v];
        index[axis] = 0;
      }
    }
  }
  template <class Body>
  void run(Body&& body) const {
    run(0, elements_, body);
  }

 private:
  // Axes that are walked as one in every view are joined; at least one is left.
  Shape sizes_;
  std::vector<Offsets> steps_;
  int64_t elements_;
};

}  // namespace halftone::network::ops
