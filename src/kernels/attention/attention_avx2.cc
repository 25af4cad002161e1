// SPDX-License-Identifier: Apache-2.0
#define HALFTONE_LANES "kernels/lanes/lanes_avx2.h"
#include "kernels/attention/attention_lanes.h"
#include "kernels/attention/kv_half.h"
#include "kernels/attention/kv_int8.h"

namespace halftone {

extern const AttentionFunctions kAttention_avx2_f16, kAttention_avx2_int8;
const AttentionFunctions kAttention_avx2_f16 = attention_functions<HalfKv>();
const AttentionFunctions kAttention_avx2_int8 = attention_functions<Int8Kv>();

}  // namespace halftone
