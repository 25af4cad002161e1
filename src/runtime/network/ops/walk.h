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
    while (begin < end) {
      Offsets at{};
      int64_t rest = begin;
      for (size_t axis = sizes_.size(); axis-- > 0;) {
        const int64_t index = rest % sizes_[axis];
        rest /= sizes_[axis];
        for (size_t v = 0; v < kViews; ++v) at[v] += index * steps_[axis][v];
      }
      const int64_t count = std::min(end - begin, length - begin % length);
      body(at, begin, count);
      begin += count;
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
