// SPDX-License-Identifier: Apache-2.0
// Attention over stored keys and values, all query heads of a KV head together (grouped-query attention).
//   f16 score[j] = scale * (chain over d ascending of fma(q[d], k[j][d])); weight[j] = p[j]
//   int8: a query row is quantized to codes x by its own scale s (largest magnitude / 127, nearest even);
//       score[j] = float(sum of x[d] * k[j][d], exact in integers) * (k_scale[j] * (s * scale)); weight[j] = p[j] *
//       v_scale[j]
//   With a soft cap c, score[j] becomes c * tanh(score[j] / c).
//   Keys are processed in ranges of 256 (aligned to multiples of 256 from key 0); each range gives maximum m, sum of
//   p[j] = exp(score[j] - m) over 16 virtual lanes (lane = key % 16) added by the fixed tree, and for each d the chain
//   over keys ascending of fma(weight[j], v[j][d]); ranges are merged in order. The same bits on every ISA and thread
//   count, for one token and for many.
// Storage: attention_args.h. int8 codes are in -127..127, one f16 scale per token and head for K and one for V; a row
// that holds an infinity or a NaN gets the scale NaN.
#pragma once

#include <cstdint>
#include <string_view>

#include "halftone/status.h"
#include "kernels/attention/attention_args.h"
#include "kernels/isa.h"

namespace halftone {

enum class KvType : uint8_t { f16, int8 };
std::string_view name_of(KvType type);
Result<KvType> kv_type_from_name(std::string_view name);  // "f16", "int8"; an error lists them

// Bytes of one head's keys (values) of 64 tokens, a multiple of 64.
int64_t k_block_bytes(KvType type, int head_dim);
int64_t v_block_bytes(KvType type, int head_dim);
// Bytes that reading one key and one value of a head takes, scales included.
int64_t kv_token_bytes(KvType type, int head_dim);

struct AttentionKernel {
  const AttentionFunctions* run;
  const char* name;
  Isa isa;
  KvType kv;
};
const AttentionKernel* const* attention_kernels(int* count);
const AttentionKernel* select_attention(Isa active, KvType kv);
int64_t attention_scratch_floats(int64_t rows, int head_dim);
int64_t attention_partial_floats(int64_t rows, int head_dim);  // of one range

}  // namespace halftone
