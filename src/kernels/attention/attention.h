// SPDX-License-Identifier: Apache-2.0
// One token, one KV head, all `group` query heads that share it (grouped-query attention).
//   score[j] = scale * (chain over d ascending of fma(q[d], k[j][d]))
//   Keys are processed in ranges of 256 (aligned to multiples of 256 from key 0); each range gives maximum m, sum of
//   exp(score - m) over 16 virtual lanes (lane = key % 16) added by the fixed tree, and for each d the chain over keys
//   ascending of fma(p[j], v[j][d]); ranges are merged in order. The same bits on every ISA and thread count.
// Storage: blocks of 64 tokens; K as 4 panels of 16 keys, f16 [panel][d][16]; V f16 row-major [64][head_dim].
#pragma once

#include <cstdint>

#include "kernels/attention/attention_args.h"
#include "kernels/isa.h"

namespace halftone {

struct AttentionKernel {
  const char* name;
  Isa isa;
  AttentionFn run;
};
const AttentionKernel* const* attention_kernels(int* count);
const AttentionKernel* select_attention(Isa active);
int64_t attention_scratch_floats(int group, int head_dim);

// Stores one token's key and value of one head at position `slot` (0..63) of its block, rounded to f16.
void append_kv(const float* k, const float* v, int head_dim, int64_t slot, uint16_t* k_block, uint16_t* v_block);

}  // namespace halftone
