// SPDX-License-Identifier: Apache-2.0
#define HALFTONE_LANES "kernels/lanes/lanes_avx2.h"
#include "kernels/conv/conv_lanes.h"

namespace halftone {

extern const ConvFunctions kConvFunctions_avx2;
const ConvFunctions kConvFunctions_avx2 = {conv_general, conv_depthwise, conv_depthwise_row, conv_end};

}  // namespace halftone
