// SPDX-License-Identifier: Apache-2.0
// One token, one KV head, all `group` query heads that share it (grouped-query attention).
//   score[j] = scale * (chain over d ascending of fma(q[d], k[j][d]))
//   Keys are processed in ranges of 256 (aligned to multiples of 256 from key 0); each range gives maximum m, sum of
//   exp(score - m) over 16 virtual lanes (lane = key % 16) added by the fixed tree, and for each d the chain over keys ascending
//   of fma(p[j], v[j][d]); ranges are merged in order. The same bits on every ISA and thread count.
// Storage: blocks of 64 tokens; K as 4 panels of 16 keys, f16 [panel][d][16]; V f16 row-major [64][head_dim].
#pragma once

#include <cstdint>

#include "kernels/isa.h"

namespace halftone {

inline constexpr int64_t kKvBlockTokens = 64;
inline constexpr int64_t kAttentionRange = 256;

struct AttentionArgs {
  const float* q;  // (group, head_dim), rows q_stride apart
  int64_t q_stride;
  int group, head_dim;
  const uint16_t* const* k_blocks;  // one pointer per 64 tokens
  const uint16_t* const* v_blocks;
  int64_t first_key, end_key;  // visible keys [first_key, end_key); first_key > 0 for sliding windows
  float scale;
  float* out;  // (group, head_dim), rows out_stride apart
  int64_t out_stride;
  float* scratch;  // attention_scratch_floats(group, head_dim), aligned to 64
};

using AttentionFn = void (*)(const AttentionArgs&);
struct AttentionKernel {
  const char* name;
  Isa isa;
  AttentionFn run;
};
const AttentionKernel* const* attention_kernels(int* count);
const AttentionKernel* select_attention(Isa active);
int64_t attention_scratch_floats(int group, int head_dim);

// Stores one token's key and value of one head at position `slot` (0..63) of its block.
void append_kv(const float* k, const float* v, int head_dim, int64_t slot, uint16_t* k_block, uint16_t* v_block);

}  // namespace halftone
