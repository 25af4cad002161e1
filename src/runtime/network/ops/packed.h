// SPDX-License-Identifier: Apache-2.0
// Products with packed constants: patches of an image, or rows of a matrix, meet panels in kernels/linear as they are
// stored. What is made of the numbers on the way is bounded, whatever the sizes.
#pragma once

#include "graph/network/network.h"
#include "kernels/linear/linear.h"
#include "runtime/network/op_context.h"
#include "runtime/network/ops/conv.h"
#include "runtime/network/ops/ends.h"

namespace halftone::network {

// The second input of a node, where it is packed and the node computes on it as it is.
struct PackedInput {
  const PackedConstant& constant;
  Activations activations;  // exact or int8
  Isa isa;
};

namespace ops {

// Whether an op computes on this second input as it is. Others see it decoded.
bool takes_packed(const Op& op, const PackedConstant& constant);
// Exact or int8: what is wanted, where a kernel exists; automatic is int8.
Activations packed_activations(const PackedConstant& constant, Activations wanted, Isa isa);

// Rows of x, `stride` apart, → y (rows, y_stride); then what `ends` says.
struct PackedRows {
  int64_t rows;
  const float* x;
  int64_t stride;
};
void packed_product(const PackedInput& weight, const PackedRows& rows, const Ends& ends, float* y, OpContext& context);
void packed_conv(const ConvShape& shape, const PackedInput& weight, const float* x, const Ends& ends, float* y,
                 OpContext& context);

}  // namespace ops
}  // namespace halftone::network
