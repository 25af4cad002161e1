// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/onnx/lowering.h"

namespace halftone::onnx {

// kernel_shape, strides, dilations, pads, auto_pad.
network::Window read_window(Lowering& node);
// The same of an op whose weight says the kernel; kernel_shape must agree where the weight is known.
Result<network::Window> read_weight_window(Lowering& node, ValueId weight);

}  // namespace halftone::onnx
