// SPDX-License-Identifier: Apache-2.0
#include "runtime/network/ops/walk.h"

namespace halftone::network::ops {

Walk::Walk(const Shape& shape, const Strides& a, const Strides& b, const Strides& c) : elements_(product(shape)) {
  for (size_t axis = 0; elements_ > 0 && axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    const Offsets steps = {a[axis], b.empty() ? 0 : b[axis], c.empty() ? 0 : c[axis]};
    bool joins = !sizes_.empty();
    for (size_t v = 0; joins && v < kViews; ++v) joins = steps_.back()[v] == steps[v] * shape[axis];
    if (joins) {
      sizes_.back() *= shape[axis];
      steps_.back() = steps;
    } else {
      sizes_.push_back(shape[axis]);
      steps_.push_back(steps);
    }
  }
  if (sizes_.empty()) {
    sizes_.push_back(1);
    steps_.push_back({});
  }
}

}  // namespace halftone::network::ops
