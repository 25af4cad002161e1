// SPDX-License-Identifier: Apache-2.0
#include "graph/network/passes/rewriter.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace halftone::network {

Rewriter::Rewriter(Network& given) : network(given) { index(); }

void Rewriter::index() {
  const size_t count = network.values.size();
  writers_.assign(count, -1);
  readers_.assign(count, 0);
  types_.assign(count, {});
  for (const Port& port : network.inputs) types_[static_cast<size_t>(port.value)] = port.type;
  for (const auto& [id, tensor] : network.constants) types_[static_cast<size_t>(id)] = tensor.type();
  for (size_t i = 0; i < network.nodes.size(); ++i) {
    const Node& node = network.nodes[i];
    std::vector<MaybeType> inputs;
    for (const ValueId id : node.inputs) {
      inputs.push_back(type_of(id));
      if (id != kNoValue) ++readers_[static_cast<size_t>(id)];
    }
    const auto made = output_types(node.op, inputs, std::max<size_t>(1, node.outputs.size()));
    for (size_t k = 0; k < node.outputs.size(); ++k) {
      if (node.outputs[k] == kNoValue) continue;
      writers_[static_cast<size_t>(node.outputs[k])] = static_cast<int>(i);
      types_[static_cast<size_t>(node.outputs[k])] = made[k];
    }
  }
  for (const Port& port : network.outputs) ++readers_[static_cast<size_t>(port.value)];
}

const Node* Rewriter::writer(ValueId id) const {
  if (id < 0 || writers_[static_cast<size_t>(id)] < 0) return nullptr;
  return &network.nodes[static_cast<size_t>(writers_[static_cast<size_t>(id)])];
}

bool Rewriter::is_output(ValueId id) const {
  return std::ranges::any_of(network.outputs, [&](const Port& port) { return port.value == id; });
}

const Tensor* Rewriter::constant(ValueId id) const {
  const auto found = network.constants.find(id);
  return found == network.constants.end() ? nullptr : &found->second;
}

const Tensor* Rewriter::floats(ValueId id) const {
  const Tensor* tensor = constant(id);
  return tensor != nullptr && tensor->type() == DType::f32 ? tensor : nullptr;
}

std::optional<double> Rewriter::scalar(ValueId id) const {
  const Tensor* tensor = floats(id);
  // More axes could give the product of a smaller tensor more axes, too.
  if (tensor == nullptr || tensor->elements() != 1 || tensor->rank() > 1) return {};
  return static_cast<double>(tensor->values<float>()[0]);
}

std::optional<std::vector<int64_t>> Rewriter::integers(ValueId id) const {
  const Tensor* tensor = constant(id);
  if (tensor == nullptr || tensor->type() != DType::i64) return {};
  const auto values = tensor->values<int64_t>();
  return std::vector<int64_t>(values.begin(), values.end());
}

bool Rewriter::is(ValueId id, double value) const {
  const auto number = scalar(id);
  return number && std::abs(*number - value) <= 1e-4 * std::abs(value);
}

ValueId Rewriter::add_value(const std::string& hint) {
  std::string name = hint + "/fused";
  for (int n = 1; std::ranges::find(network.values, name) != network.values.end(); ++n)
    name = hint + "/fused" + std::to_string(n);
  network.values.push_back(std::move(name));
  writers_.push_back(-1);
  readers_.push_back(0);
  types_.emplace_back();
  return static_cast<ValueId>(network.values.size()) - 1;
}

ValueId Rewriter::add_constant(const std::string& hint, Tensor tensor) {
  const ValueId id = add_value(hint);
  types_.back() = tensor.type();
  network.constants.emplace(id, std::move(tensor));
  return id;
}

void Rewriter::replace(ValueId output, Op op, std::vector<ValueId> inputs) {
  Node& node = network.nodes[static_cast<size_t>(writers_[static_cast<size_t>(output)])];
  for (const ValueId id : node.inputs)
    if (id != kNoValue) --readers_[static_cast<size_t>(id)];
  for (const ValueId id : inputs)
    if (id != kNoValue) ++readers_[static_cast<size_t>(id)];
  node.op = std::move(op);
  node.inputs = std::move(inputs);
  node.outputs = {output};
}

void Rewriter::add_node(Op op, const std::string& name, std::vector<ValueId> inputs, ValueId output) {
  for (const ValueId id : inputs)
    if (id != kNoValue) ++readers_[static_cast<size_t>(id)];
  writers_[static_cast<size_t>(output)] = static_cast<int>(network.nodes.size());
  network.nodes.push_back({std::move(op), name, std::move(inputs), {output}});
}

void Rewriter::redirect(ValueId from, ValueId to) {
  for (Node& node : network.nodes) std::ranges::replace(node.inputs, from, to);
  for (Port& port : network.outputs)
    if (port.value == from) port.value = to;
}

int Rewriter::remove_dead() {
  int removed = 0;
  for (bool changed = true; changed;) {
    index();
    const size_t before = network.nodes.size();
    std::erase_if(network.nodes, [&](const Node& node) {
      return std::ranges::all_of(node.outputs, [&](ValueId id) { return id == kNoValue || readers(id) == 0; });
    });
    changed = network.nodes.size() != before;
    removed += static_cast<int>(before - network.nodes.size());
  }
  std::erase_if(network.constants, [&](const auto& entry) { return readers(entry.first) == 0; });
  return removed;
}

Factors factors_of(const Rewriter& rewriter, ValueId product) {
  Factors factors;
  std::vector<ValueId> open = {product};
  // Wide products are no activation; the limit keeps the search short.
  for (size_t steps = 0; !open.empty() && steps < 16; ++steps) {
    const ValueId id = open.back();
    open.pop_back();
    const Binary* binary = rewriter.made_by<Binary>(id);
    const Node* node = rewriter.writer(id);
    if (const auto scalar = rewriter.scalar(id)) {
      factors.scalar *= *scalar;
    } else if (binary != nullptr && binary->kind == BinaryKind::multiply &&
               (id == product || rewriter.readers(id) == 1)) {
      open.insert(open.end(), node->inputs.begin(), node->inputs.end());
    } else if (binary != nullptr && binary->kind == BinaryKind::divide && rewriter.scalar(node->inputs[1])) {
      factors.scalar /= *rewriter.scalar(node->inputs[1]);
      open.push_back(node->inputs[0]);
    } else {
      factors.others.push_back(id);
    }
  }
  factors.others.insert(factors.others.end(), open.begin(), open.end());
  return factors;
}

}  // namespace halftone::network
