// SPDX-License-Identifier: Apache-2.0
// Convolutions and products of f32 through kernels/conv.
#pragma once

#include "runtime/network/op_context.h"
#include "runtime/network/ops/conv.h"
#include "runtime/network/ops/ends.h"

namespace halftone::network::ops {

// REQUIRES: f32, everything of the shapes that `shape` was made from; y is not empty; channels are last where something
// is added.
void float_conv(const ConvShape& shape, const Tensor& x, const Tensor& weight, const Ends& ends, Tensor& y,
                OpContext& context);

// y (m, n) = rows of a, `stride_a` apart, times b[k * row_b + n * column_b].
struct FloatProduct {
  int64_t m, n, k;
  const float *a, *b;
  int64_t stride_a, row_b, column_b;
  float* y;
  bool keeps = false;  // b is the whole second input, and the same in every run where that is constant
};
void float_product(const FloatProduct& product, OpContext& context);

}  // namespace halftone::network::ops
