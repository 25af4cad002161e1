// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/conv/conv.h"
#include "runtime/network/endings.h"

namespace halftone::network::ops {

// What the sums of a convolution or product begin or end with, as kernels take it.
struct Ends {
  const float *bias = nullptr, *added = nullptr;  // (outputs); as y
  float least = Ending().least, most = Ending().most;

  // Of pixels from number `first` on and outputs from `channel` on. REQUIRES: args.y_stride is set.
  void set(ConvArgs& args, int64_t first, int64_t channel) const {
    args.bias = bias == nullptr ? nullptr : bias + channel;
    args.added = added == nullptr ? nullptr : added + first * args.y_stride + channel;
    args.least = least;
    args.most = most;
  }
};

}  // namespace halftone::network::ops
