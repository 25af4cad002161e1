// SPDX-License-Identifier: Apache-2.0
// Indices that come as tensors: read and checked.
#pragma once

#include "runtime/network/ops/shapes.h"

namespace halftone::network::ops {

// All of them, none negative. An error names the first that is not of an axis of `size`.
Result<std::vector<int64_t>> indices_of(const Tensor& indices, int64_t size);
// Of gather_elements and scatter_elements: an index per element, within x but along `axis`.
Status need_elements_shape(const Tensor& x, const Tensor& indices, int64_t axis);

// Tuples that name slices of x.
struct NdIndices {
  std::vector<int64_t> offsets;  // in elements, one per tuple
  Shape shape, slice_shape;      // of the tuples; of what one names
  int64_t slice = 1;
};
Result<NdIndices> nd_indices(const Tensor& x, const Tensor& indices, int64_t batch);

}  // namespace halftone::network::ops
