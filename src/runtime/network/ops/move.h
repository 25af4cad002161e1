// SPDX-License-Identifier: Apache-2.0
// Numbers that change their place, whatever their type.
#pragma once

#include "runtime/network/ops/shapes.h"

namespace halftone::network::ops {

// The numbers of `x` from element `offset` with `strides` as a dense tensor. REQUIRES: all of them lie in x.
Result<Tensor> gather_view(const Tensor& x, const Shape& shape, const Strides& strides, int64_t offset = 0);

// y[i, j, ...] = x[maps[0][i], maps[1][j], ...]; an index of -1 gives `fill` (absent: zero), of x's type.
Result<Tensor> take(const Tensor& x, const std::vector<std::vector<int64_t>>& maps, const Tensor& fill = {});

}  // namespace halftone::network::ops
