// SPDX-License-Identifier: Apache-2.0
#include "graph/network/constant_uses.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace halftone::network {
namespace {

constexpr size_t kWeightInput = 1, kBiasInput = 2;

// As recipes name it.
std::string_view op_at(const Node& node, size_t input, const Shape& shape) {
  const auto rank = shape.size();
  if (input == kBiasInput && (std::holds_alternative<Conv>(node.op) || std::holds_alternative<Gemm>(node.op)))
    return "bias";
  if (input != kWeightInput) return "constant";
  if (const auto* conv = std::get_if<Conv>(&node.op)) {
    if (rank < 3) return "constant";
    const bool last = conv->window.order == ImageOrder::channels_last;
    return conv->groups > 1 && shape[last ? rank - 1 : 1] == 1 ? "depthwise" : "conv";
  }
  const bool product = std::holds_alternative<MatMul>(node.op) || std::holds_alternative<Gemm>(node.op);
  return product && rank == 2 ? "linear" : "constant";
}

bool is_columns_first(const Node& node) {
  if (const auto* product = std::get_if<MatMul>(&node.op)) return !product->transpose_b;
  if (const auto* gemm = std::get_if<Gemm>(&node.op)) return !gemm->transpose_b;
  return false;
}

}  // namespace

std::vector<ConstantUse> constant_uses(const Network& network) {
  std::map<ValueId, ValueId> alias;  // what a Dequantize writes: its codes
  for (const Node& node : network.nodes)
    if (std::holds_alternative<Dequantize>(node.op) && network.constants.count(node.inputs[0]) != 0)
      alias[node.outputs[0]] = node.inputs[0];
  std::map<ValueId, ConstantUse> uses;
  for (size_t i = 0; i < network.nodes.size(); ++i) {
    const Node& node = network.nodes[i];
    for (size_t input = 0; input < node.inputs.size(); ++input) {
      const auto through = alias.find(node.inputs[input]);
      const ValueId id = through == alias.end() ? node.inputs[input] : through->second;
      if (through == alias.end() && input == 0 && !node.outputs.empty() && alias.count(node.outputs[0]) != 0) continue;
      const auto dense = network.constants.find(id);
      const auto packed = network.packed.find(id);
      if (dense == network.constants.end() && packed == network.packed.end()) continue;
      const Shape& shape = dense != network.constants.end() ? dense->second.shape() : packed->second.shape;
      const bool is_float = dense == network.constants.end() || dense->second.type() == DType::f32;
      const std::string_view op = op_at(node, input, shape);
      const bool matrix = is_float && through == alias.end() && op != "bias" && op != "constant";
      const auto [at, fresh] =
          uses.try_emplace(id, ConstantUse{id, i, input, 0, {}, matrix, is_columns_first(node), false});
      ConstantUse& use = at->second;
      use.ops.insert(op);
      ++use.reads;
      use.codes = use.codes || through != alias.end();
      // Read in two ways, it stays what it is.
      use.matrix = use.matrix && matrix && use.columns_first == is_columns_first(node);
    }
  }
  std::vector<ConstantUse> ordered;
  for (auto& [id, use] : uses) ordered.push_back(std::move(use));
  std::stable_sort(ordered.begin(), ordered.end(), [](const ConstantUse& a, const ConstantUse& b) {
    return std::tie(a.first, a.input) < std::tie(b.first, b.input);
  });
  return ordered;
}

}  // namespace halftone::network
