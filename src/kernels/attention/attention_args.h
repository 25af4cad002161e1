// SPDX-License-Identifier: Apache-2.0
// What an attention kernel is given; free of anything that emits weak symbols.
#pragma once

#include <cstdint>

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

}  // namespace halftone
