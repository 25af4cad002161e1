// SPDX-License-Identifier: Apache-2.0
// What an attention kernel is given, and how one KV head lies in a block of 64 tokens; free of anything that emits weak
// symbols.
//   f16:  K as 4 panels of 16 keys, f16 [panel][d][16]; V f16 row-major [64][head_dim].
//   int8: K as 4 panels of 16 keys, code + 128 in bytes [panel][d / 4][16][d % 4] (d padded to a multiple of 4 with
//   code
//         0), then 64 scales in f16; V int8 row-major [64][head_dim], then 64 scales in f16. A number is code * scale.
#pragma once

#include <cstddef>
#include <cstdint>

namespace halftone {

inline constexpr int64_t kKvBlockTokens = 64;
inline constexpr int64_t kAttentionRange = 256;

// Some neighbouring tokens of one sequence, one KV head, and the query heads that share it. A row is one query head of
// one token: row = token * group + head.
struct AttentionArgs {
  const float* q;  // (tokens, group, head_dim), tokens q_stride apart
  int64_t q_stride;
  int tokens, group, head_dim;
  const std::byte* const* blocks;  // one per 64 tokens; those before every token's window are not looked at
  int64_t k_offset, v_offset;      // of this head, in bytes from the begin of a block
  int64_t position;                // of the first token; each sees the keys up to its own position
  int64_t window;                  // 0: all of them; else the last `window`
  float scale;
  float soft_cap;  // 0: none
  float* out;      // (tokens, group, head_dim), tokens out_stride apart
  int64_t out_stride;
  float* scratch;  // attention_scratch_floats(rows, head_dim), aligned to 64, private to the calling thread
};

// Keys and values of neighbouring tokens of one sequence and one KV head.
struct KvAppendArgs {
  const float *k, *v;  // (tokens, head_dim), tokens k_stride and v_stride apart
  int64_t k_stride, v_stride;
  int tokens, head_dim;
  int64_t slot;                  // of the first token in the block; slot + tokens <= 64
  std::byte *k_block, *v_block;  // of this head
};

struct AttentionFunctions {
  void (*append)(const KvAppendArgs&);
  void (*attend)(const AttentionArgs&);
  // The same in two steps, for several threads: one range of 256 keys (range * 256 ...) into `partial`, which holds
  // attention_partial_floats(rows, head_dim); then all `count` ranges from `first` in order, as they follow in
  // `partials`.
  void (*attend_range)(const AttentionArgs&, int64_t range, float* partial);
  void (*merge)(const AttentionArgs&, int64_t first, int64_t count, const float* partials);
};

}  // namespace halftone
