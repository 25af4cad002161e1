// SPDX-License-Identifier: Apache-2.0
#include "bench/cost.h"

#include <algorithm>
#include <variant>

#include "runtime/plan.h"

namespace halftone {
namespace {

// Keys that `tokens` new tokens look at together, each at its own position.
double keys_seen(int64_t held, int64_t tokens, int64_t window) {
  double sum = 0;
  for (int64_t i = 0; i < tokens; ++i) {
    const int64_t keys = held + i + 1;
    sum += static_cast<double>(window > 0 ? std::min(keys, window) : keys);
  }
  return sum;
}

// Keys read from memory: once per chunk, since its tokens share them.
double keys_read(int64_t held, int64_t tokens, int64_t chunk, int64_t window) {
  double sum = 0;
  for (int64_t begin = 0; begin < tokens; begin += chunk) {
    const int64_t size = std::min(chunk, tokens - begin), keys = held + begin + size;
    sum += static_cast<double>(window > 0 ? std::min(keys, window + size - 1) : keys);
  }
  return sum;
}

// As the plan chooses.
Activations path_of(const Model& model, WeightId id, Activations wanted) {
  const auto isa = active_isa();
  const LinearKernel* kernel = isa.ok() ? choose_path(model, id, wanted, *isa).kernel : nullptr;
  return kernel == nullptr ? Activations::exact : kernel->activations;
}

}  // namespace

PhaseCost cost_of(const Model& model, int64_t held, int64_t tokens, int64_t chunk, int64_t outputs,
                  Activations activations, KvType kv) {
  PhaseCost cost;
  const Graph& graph = model.graph();
  const auto chunks = static_cast<double>((tokens + chunk - 1) / chunk);
  for (const Node& node : graph.nodes) {
    if (const auto* linear = std::get_if<Linear>(&node.op)) {
      const WeightView& weight = model.weight(linear->weight);
      const bool is_output = node.output == graph.logits;
      const double reads = is_output ? static_cast<double>(outputs) : chunks;
      const double rows = is_output ? static_cast<double>(outputs) : static_cast<double>(tokens);
      const double operations = 2.0 * static_cast<double>(weight.rows) * static_cast<double>(weight.columns) * rows;
      cost.bytes += static_cast<double>(weight.data.size()) * reads;
      const Activations path = path_of(model, linear->weight, activations);
      (path == Activations::int8   ? cost.int8_operations
       : path == Activations::bf16 ? cost.bf16_operations
                                   : cost.f32_operations) += operations;
    } else if (const auto* attention = std::get_if<Attention>(&node.op)) {
      const auto token_bytes = static_cast<double>(attention->kv_heads * kv_token_bytes(kv, attention->head_dim));
      cost.bytes += token_bytes * (keys_read(held, tokens, chunk, attention->window) + static_cast<double>(tokens));
      // Scores, then values; scores of 8-bit keys are integer dot products.
      const double half = 2.0 * attention->heads * attention->head_dim * keys_seen(held, tokens, attention->window);
      (kv == KvType::int8 ? cost.int8_operations : cost.f32_operations) += half;
      cost.f32_operations += half;
    }
  }
  return cost;
}

}  // namespace halftone
