// SPDX-License-Identifier: Apache-2.0
#define HALFTONE_LANES "kernels/lanes/lanes_avx512.h"
#define HALFTONE_TALL_TILES
#include "kernels/conv/conv_lanes.h"

namespace halftone {

extern const ConvFunctions kConvFunctions_avx512;
const ConvFunctions kConvFunctions_avx512 = {conv_general, conv_depthwise, conv_depthwise_row, conv_end};

}  // namespace halftone
