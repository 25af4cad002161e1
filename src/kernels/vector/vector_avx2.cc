// SPDX-License-Identifier: Apache-2.0
#define HALFTONE_LANES "kernels/lanes/lanes_avx2.h"
#include "kernels/vector/vector_lanes.h"
#include "kernels/vector/vector_table.h"

namespace halftone {

extern const VectorFunctions kVectorFunctions_avx2;
const VectorFunctions kVectorFunctions_avx2 = {rms_norm, layer_norm, swiglu,  geglu,      soft_cap,
                                               add_rows, rope,       maximum, sum_of_exp, softmax};

}  // namespace halftone
