// SPDX-License-Identifier: Apache-2.0
// Only stored keys in 8 bits meet sdot (lanes_neon.h); f16 keeps the row of base NEON. Not measured on a machine that
// has it.
#define HALFTONE_LANES "kernels/lanes/lanes_neon.h"
#include "kernels/attention/attention_lanes.h"
#include "kernels/attention/kv_int8.h"

namespace halftone {

extern const AttentionFunctions kAttention_neon_dot_int8;
const AttentionFunctions kAttention_neon_dot_int8 = attention_functions<Int8Kv>();

}  // namespace halftone
