// SPDX-License-Identifier: Apache-2.0
// The graph, lowered: linears that share an input run as one step, every value has its place in one arena, and the ops
// after the last token mixing (final norm, logits) form a tail that runs only for requested positions.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"
#include "halftone/status.h"
#include "kernels/attention/attention.h"
#include "kernels/linear/linear.h"
#include "kernels/vector/vector.h"
#include "runtime/model.h"
#include "tensor/static_range.h"

namespace halftone {

// A value's place in an arena of `tokens` tokens. A slice of a value is its columns from `column` on: no copy.
struct Slot {
  int64_t offset = 0, width = 0;
  int64_t stride = 0;  // from one token's row to the next; the width, unless this is a slice
  int64_t column = 0;
  int64_t at(int64_t tokens, int64_t token) const { return offset * tokens + column + token * stride; }
};

struct EmbedStep {
  WeightId table;
  float scale;
  Slot out;
};
struct NormStep {
  WeightId weight;
  float epsilon;
  int64_t group;  // columns normalised together
  Slot in, out;
};
struct LayerNormStep {
  WeightId weight, bias;
  float epsilon;
  Slot in, out;
};
struct LinearStep {
  struct Part {
    WeightId weight, bias;
    const LinearKernel* kernel;
    Slot out;
  };
  Slot in;
  std::vector<Part> parts;
  bool quantize;      // some part reads int8 activations
  StaticRange range;  // of `in`, where it is fixed
  bool round;         // some part reads floats that were rounded to the range
};
struct RopeStep {
  int32_t heads, head_dim, rotary;
  int32_t table;  // index into Plan::rope_tables
  Slot in, out;
};
struct AttentionStep {
  StateId state;
  int32_t heads, kv_heads, head_dim;
  float scale;
  int64_t window;
  float soft_cap;
  Slot q, k, v, out;
};
struct SwiGluStep {
  Slot gate, up, out;
};
struct GeGluStep {
  Slot gate, up, out;
};
struct GeluStep {
  Slot in, out;
};
struct SoftCapStep {
  float cap;
  Slot in, out;
};
struct AddStep {
  Slot a, b, out;
};
using Step = std::variant<EmbedStep, NormStep, LayerNormStep, LinearStep, RopeStep, AttentionStep, SwiGluStep,
                          GeGluStep, GeluStep, SoftCapStep, AddStep>;

struct RopeTable {
  WeightId inverse_frequencies;
  int32_t rotary;
  float magnitude;
  WeightId long_frequencies;  // of sequences longer than long_beyond; or kNoWeight
  int64_t long_beyond;
  bool operator==(const RopeTable&) const = default;
};

struct Plan {
  std::vector<Step> steps;       // for every token
  std::vector<Step> tail;        // for requested tokens, input in tail_in
  Slot tail_in, hidden, logits;  // hidden: what the tail reads, as the last step leaves it
  int64_t arena_width = 0;       // floats per token
  int64_t tail_arena_width = 0;
  int64_t widest_linear_input = 0;
  std::vector<RopeTable> rope_tables;
  int64_t long_beyond = 0;  // 0, or the length beyond which every token of a sequence rotates otherwise
  const VectorKernels* vector = nullptr;
  const AttentionKernel *attention_f16 = nullptr, *attention_int8 = nullptr;
  const AttentionKernel& attention_of(KvType kv) const { return kv == KvType::f16 ? *attention_f16 : *attention_int8; }
};

// How one matrix is multiplied with.
struct LinearPath {
  const LinearKernel* kernel = nullptr;  // null: no kernel for the layout
  StaticRange range = {};                // of what it reads: codes where the kernel is int8, else rounded floats
  // "exact", "int8" (ranges are searched as it runs), "bf16", "static8", and of floats that are rounded to the grid and
  // multiplied exactly "simulated8", "simulated16"
  std::string name() const;
};
// automatic: static ranges where the model has them, else int8; any other is what it says. Where the layout has no
// kernel of that kind, exact.
LinearPath choose_path(const Model& model, WeightId id, Activations wanted, Isa isa);

// Chooses kernels for the active ISA.
Result<Plan> make_plan(const Model& model, Activations activations);

}  // namespace halftone
