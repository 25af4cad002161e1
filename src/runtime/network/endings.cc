// SPDX-License-Identifier: Apache-2.0
#include "runtime/network/endings.h"

#include <algorithm>
#include <optional>

namespace halftone::network {
namespace {

class EndingPlanner {
 public:
  explicit EndingPlanner(Network& network) : network_(network) {
    endings_.resize(network.nodes.size());
    removed_.resize(network.nodes.size(), false);
    writer_.resize(network.values.size(), kNone);
    readers_.resize(network.values.size(), 0);
    for (size_t i = 0; i < network.nodes.size(); ++i) {
      for (const ValueId id : network.nodes[i].outputs)
        if (id != kNoValue) writer_[static_cast<size_t>(id)] = i;
      for (const ValueId id : network.nodes[i].inputs)
        if (id != kNoValue) ++readers_[static_cast<size_t>(id)];
    }
    for (const Port& port : network.outputs) ++readers_[static_cast<size_t>(port.value)];
  }

  std::vector<Ending> plan() && {
    for (size_t i = 0; i < network_.nodes.size(); ++i) {
      if (!adds(i) && !limits(i)) continue;
      removed_[i] = true;
    }
    std::vector<Node> kept;
    std::vector<Ending> endings;
    for (size_t i = 0; i < network_.nodes.size(); ++i) {
      if (removed_[i]) continue;
      kept.push_back(std::move(network_.nodes[i]));
      endings.push_back(endings_[i]);
    }
    network_.nodes = std::move(kept);
    return endings;
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;

  // The convolution that writes a value which only one node reads.
  size_t conv_of(ValueId id) const {
    if (id == kNoValue || readers_[static_cast<size_t>(id)] != 1) return kNone;
    const size_t i = writer_[static_cast<size_t>(id)];
    if (i == kNone) return kNone;
    const Node& node = network_.nodes[i];
    const Conv* conv = std::get_if<Conv>(&node.op);
    if (conv == nullptr || conv->window.order != ImageOrder::channels_last) return kNone;
    if (network_.packed.contains(node.inputs[1])) return i;
    const auto weight = network_.constants.find(node.inputs[1]);
    return weight != network_.constants.end() && weight->second.type() == DType::f32 ? i : kNone;
  }
  void give(size_t conv, const Node& last) {
    network_.nodes[conv].outputs[0] = last.outputs[0];
    writer_[static_cast<size_t>(last.outputs[0])] = conv;
  }
  // Values that node i reads exist when node `before` runs.
  bool is_there(ValueId id, size_t before) const {
    const size_t i = writer_[static_cast<size_t>(id)];
    return i == kNone || i < before;
  }

  bool adds(size_t i) {
    const Node& node = network_.nodes[i];
    const Binary* binary = std::get_if<Binary>(&node.op);
    if (binary == nullptr || binary->kind != BinaryKind::add || node.inputs[0] == node.inputs[1]) return false;
    for (const size_t side : {size_t{1}, size_t{0}}) {
      const size_t conv = conv_of(node.inputs[side]);
      const ValueId other = node.inputs[1 - side];
      if (conv == kNone || endings_[conv].adds || endings_[conv].limits() || !is_there(other, conv)) continue;
      // A constant may be a row that is repeated: kernels add images.
      if (network_.constants.contains(other) || network_.packed.contains(other)) continue;
      Node& to = network_.nodes[conv];
      to.inputs.resize(kAddedInput, kNoValue);
      to.inputs.push_back(other);
      endings_[conv].adds = true;
      give(conv, node);
      return true;
    }
    return false;
  }

  // Empty: not a number that is known.
  std::optional<float> bound(const Node& node, size_t input, float absent) const {
    if (node.inputs.size() <= input || node.inputs[input] == kNoValue) return absent;
    const auto found = network_.constants.find(node.inputs[input]);
    if (found == network_.constants.end() || found->second.type() != DType::f32 || found->second.elements() != 1)
      return {};
    return found->second.values<float>()[0];
  }
  bool limits(size_t i) {
    const Node& node = network_.nodes[i];
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    std::optional<float> least, most;
    const Unary* unary = std::get_if<Unary>(&node.op);
    if (unary != nullptr && unary->kind == UnaryKind::relu) {
      least = 0, most = kInfinity;
    } else if (std::holds_alternative<Clip>(node.op)) {
      least = bound(node, 1, -kInfinity), most = bound(node, 2, kInfinity);
    }
    if (!least || !most || !(*least <= *most)) return false;  // also where a limit is NaN
    const size_t conv = conv_of(node.inputs[0]);
    if (conv == kNone || endings_[conv].limits()) return false;
    endings_[conv].least = *least;
    endings_[conv].most = *most;
    give(conv, node);
    return true;
  }

  Network& network_;
  std::vector<Ending> endings_;
  std::vector<bool> removed_;
  std::vector<size_t> writer_;
  std::vector<int> readers_;
};

}  // namespace

std::vector<Ending> plan_endings(Network& network) { return EndingPlanner(network).plan(); }

}  // namespace halftone::network
