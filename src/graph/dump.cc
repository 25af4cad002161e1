// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iterator>

#include "graph/graph.h"

namespace halftone {
namespace {

struct OpName {
  std::string_view operator()(const Embedding&) const { return "embedding"; }
  std::string_view operator()(const RmsNorm&) const { return "rms_norm"; }
  std::string_view operator()(const LayerNorm&) const { return "layer_norm"; }
  std::string_view operator()(const Linear&) const { return "linear"; }
  std::string_view operator()(const Rope&) const { return "rope"; }
  std::string_view operator()(const Attention&) const { return "attention"; }
  std::string_view operator()(const SwiGlu&) const { return "swiglu"; }
  std::string_view operator()(const GeGlu&) const { return "geglu"; }
  std::string_view operator()(const Gelu&) const { return "gelu"; }
  std::string_view operator()(const SoftCap&) const { return "soft_cap"; }
  std::string_view operator()(const Columns&) const { return "columns"; }
  std::string_view operator()(const Add&) const { return "add"; }
};

// The settings of an op; what equals its default is left out.
class Settings {
 public:
  explicit Settings(const Graph& graph) : graph_(graph) {}

  std::string operator()(const Embedding& op) const {
    return weight(op.table) + (op.scale == 1 ? "" : fmt::format(" scale {}", op.scale));
  }
  std::string operator()(const RmsNorm& op) const {
    return weight(op.weight) + fmt::format(" epsilon {}", op.epsilon) +
           (op.group == 0 ? "" : fmt::format(" group {}", op.group));
  }
  std::string operator()(const LayerNorm& op) const {
    return weight(op.weight) + " bias " + weight(op.bias) + fmt::format(" epsilon {}", op.epsilon);
  }
  std::string operator()(const Linear& op) const {
    return weight(op.weight) + (op.bias == kNoWeight ? "" : " bias " + weight(op.bias));
  }
  std::string operator()(const Rope& op) const {
    return fmt::format("{} heads of {} rotary {} {}", op.heads, op.head_dim, op.rotary,
                       weight(op.inverse_frequencies)) +
           (op.magnitude == 1 ? "" : fmt::format(" magnitude {}", op.magnitude)) +
           (op.long_frequencies == kNoWeight
                ? ""
                : fmt::format(" beyond {} {}", op.long_beyond, weight(op.long_frequencies)));
  }
  std::string operator()(const Attention& op) const {
    return fmt::format("{} heads of {} over {} scale {} state {}", op.heads, op.head_dim, op.kv_heads, op.scale,
                       graph_.states[static_cast<size_t>(op.state)].name) +
           (op.window == 0 ? "" : fmt::format(" window {}", op.window)) +
           (op.soft_cap == 0 ? "" : fmt::format(" soft_cap {}", op.soft_cap));
  }
  std::string operator()(const SwiGlu&) const { return {}; }
  std::string operator()(const GeGlu&) const { return {}; }
  std::string operator()(const Gelu&) const { return {}; }
  std::string operator()(const SoftCap& op) const { return fmt::format("{}", op.cap); }
  std::string operator()(const Columns& op) const { return fmt::format("{}..{}", op.first, op.first + op.width); }
  std::string operator()(const Add&) const { return {}; }

 private:
  std::string weight(WeightId id) const {
    const WeightRef& ref = graph_.weight(id);
    if (ref.rows != 1) return fmt::format("{}({}, {})", ref.name, ref.rows, ref.columns);
    return fmt::format("{}({})", ref.name, ref.columns) + (ref.offset == 0 ? "" : fmt::format(" + {}", ref.offset));
  }
  const Graph& graph_;
};

}  // namespace

std::string_view name_of(const Op& op) { return std::visit(OpName{}, op); }

std::string dump(const Graph& graph) {
  std::string text;
  auto out = std::back_inserter(text);
  for (const Node& node : graph.nodes) {
    const Value& output = graph.values[static_cast<size_t>(node.output)];
    fmt::format_to(out, "{} ({}) = {}", output.name, output.width, name_of(node.op));
    for (const ValueId input : node.inputs) fmt::format_to(out, " {}", graph.values[static_cast<size_t>(input)].name);
    const std::string settings = std::visit(Settings(graph), node.op);
    if (!settings.empty()) fmt::format_to(out, " [{}]", settings);
    text += '\n';
  }
  return text;
}

}  // namespace halftone
