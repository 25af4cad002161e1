// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/network/ops/windows.h"

namespace halftone::network::ops {

// A convolution whose inputs fit one another.
struct ConvShape {
  ImageView x;
  WindowAxes axes;
  Shape y;
  int64_t groups = 1, channels_in = 0, channels_out = 0;  // channels_in: of one group
  int64_t weight_out_stride = 0, weight_in_stride = 0, weight_tap_stride = 0;
};
Result<ConvShape> conv_shape(const Window& window, int64_t groups, const Shape& x, const Shape& weight);

}  // namespace halftone::network::ops
