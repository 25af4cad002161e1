// SPDX-License-Identifier: Apache-2.0
// Every op, data only. Shapes: tokens is dynamic; a value is (tokens, width).
#pragma once

#include <cstdint>
#include <variant>

namespace halftone {

using ValueId = int32_t;
using WeightId = int32_t;
using StateId = int32_t;
inline constexpr WeightId kNoWeight = -1;

struct Embedding {  // token ids → (tokens, hidden)
  WeightId table;   // (vocab, hidden)
  float scale = 1;
  bool operator==(const Embedding&) const = default;
};
struct RmsNorm {  // x → y; with `group`, every run of `group` columns is normalised alone (q/k norm per head)
  WeightId weight;
  float epsilon;
  int64_t group = 0;
  bool operator==(const RmsNorm&) const = default;
};
struct LayerNorm {  // x → (x - mean) / sqrt(variance + epsilon) * weight + bias
  WeightId weight, bias;
  float epsilon;
  bool operator==(const LayerNorm&) const = default;
};
struct Linear {  // x (tokens, columns) → (tokens, rows)
  WeightId weight;
  WeightId bias = kNoWeight;
  bool operator==(const Linear&) const = default;
};
struct Rope {  // x (tokens, heads * head_dim), positions come with the batch
  int32_t heads, head_dim, rotary;
  WeightId inverse_frequencies;  // constant (rotary / 2)
  float magnitude = 1;           // multiplies cos and sin (long-context scalings)
  // For every token of a sequence that is longer than `long_beyond`, these take their place.
  WeightId long_frequencies = kNoWeight;
  int64_t long_beyond = 0;
  bool operator==(const Rope&) const = default;
};
struct Attention {  // q, k, v → (tokens, heads * head_dim); appends k and v to the state
  StateId state;
  int32_t heads, kv_heads, head_dim;
  float scale;
  int64_t window = 0;  // 0: all earlier tokens; else the last `window` ones, the token itself counted
  float soft_cap = 0;  // not 0: scores become soft_cap * tanh(score / soft_cap)
  bool operator==(const Attention&) const = default;
};
struct SwiGlu {  // gate, up → silu(gate) * up
  bool operator==(const SwiGlu&) const = default;
};
struct GeGlu {  // gate, up → gelu(gate) * up; gelu in its tanh form
  bool operator==(const GeGlu&) const = default;
};
struct Gelu {  // x → gelu(x), in its tanh form
  bool operator==(const Gelu&) const = default;
};
struct SoftCap {  // x → cap * tanh(x / cap)
  float cap;
  bool operator==(const SoftCap&) const = default;
};
struct Columns {  // x → its columns [first, first + width); takes a fused projection apart without a copy
  int64_t first, width;
  bool operator==(const Columns&) const = default;
};
struct Add {
  bool operator==(const Add&) const = default;
};

using Op =
    std::variant<Embedding, RmsNorm, LayerNorm, Linear, Rope, Attention, SwiGlu, GeGlu, Gelu, SoftCap, Columns, Add>;

}  // namespace halftone
