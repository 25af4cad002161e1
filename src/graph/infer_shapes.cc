// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "graph/graph.h"

namespace halftone {
namespace {

// Checks one node and finds the width of its output.
class Inference {
 public:
  Inference(const Graph& graph, const Node& node) : graph_(graph), node_(node) {}

  Result<int64_t> operator()(const Embedding& op) const {
    HALFTONE_TRY(expect_inputs(0));
    HALFTONE_ASSIGN(const WeightRef* table, matrix(op.table, "table"));
    return table->columns;
  }

  Result<int64_t> operator()(const RmsNorm& op) const {
    HALFTONE_TRY(expect_inputs(1));
    const int64_t run = op.group > 0 ? op.group : width(0);
    if (width(0) % run != 0) return error("groups", fmt::format("a divisor of width {}", width(0)), run);
    HALFTONE_TRY(expect_vector(op.weight, "weight", run));
    return width(0);
  }

  Result<int64_t> operator()(const LayerNorm& op) const {
    HALFTONE_TRY(expect_inputs(1));
    HALFTONE_TRY(expect_vector(op.weight, "weight", width(0)));
    HALFTONE_TRY(expect_vector(op.bias, "bias", width(0)));
    return width(0);
  }

  Result<int64_t> operator()(const Linear& op) const {
    HALFTONE_TRY(expect_inputs(1));
    HALFTONE_ASSIGN(const WeightRef* weight, matrix(op.weight, "weight"));
    HALFTONE_TRY(expect_width(0, weight->columns));
    if (op.bias != kNoWeight) HALFTONE_TRY(expect_vector(op.bias, "bias", weight->rows));
    return weight->rows;
  }

  Result<int64_t> operator()(const Rope& op) const {
    HALFTONE_TRY(expect_inputs(1));
    HALFTONE_TRY(expect_width(0, int64_t{op.heads} * op.head_dim));
    if (op.rotary <= 0 || op.rotary % 2 != 0 || op.rotary > op.head_dim) {
      return error("rotary", fmt::format("an even number up to head_dim {}", op.head_dim), op.rotary);
    }
    HALFTONE_TRY(expect_frequencies(op.inverse_frequencies, "inverse_frequencies", op.rotary / 2));
    if (op.long_frequencies != kNoWeight) {
      HALFTONE_TRY(expect_frequencies(op.long_frequencies, "long_frequencies", op.rotary / 2));
    }
    return width(0);
  }

  Result<int64_t> operator()(const Attention& op) const {
    HALFTONE_TRY(expect_inputs(3));
    if (op.heads <= 0 || op.kv_heads <= 0 || op.heads % op.kv_heads != 0) {
      return error("heads", fmt::format("a multiple of {} key heads", op.kv_heads), op.heads);
    }
    HALFTONE_TRY(expect_width(0, int64_t{op.heads} * op.head_dim));
    HALFTONE_TRY(expect_width(1, int64_t{op.kv_heads} * op.head_dim));
    HALFTONE_TRY(expect_width(2, int64_t{op.kv_heads} * op.head_dim));
    if (op.state < 0 || static_cast<size_t>(op.state) >= graph_.states.size()) {
      return error("state", fmt::format("one of {} states", graph_.states.size()), op.state);
    }
    const StateRef& state = graph_.states[static_cast<size_t>(op.state)];
    if (state.kv_heads != op.kv_heads || state.head_dim != op.head_dim || state.window != op.window) {
      return invalid_input(
          "[graph] node {}: expected state {} of {} heads of {} with window {}, got {} heads of {} with window {}",
          node_.name, state.name, op.kv_heads, op.head_dim, op.window, state.kv_heads, state.head_dim, state.window);
    }
    return width(0);
  }

  Result<int64_t> operator()(const SwiGlu&) const { return same_widths(); }
  Result<int64_t> operator()(const GeGlu&) const { return same_widths(); }
  Result<int64_t> operator()(const Add&) const { return same_widths(); }

  Result<int64_t> operator()(const Gelu&) const {
    HALFTONE_TRY(expect_inputs(1));
    return width(0);
  }

  Result<int64_t> operator()(const SoftCap& op) const {
    HALFTONE_TRY(expect_inputs(1));
    if (!(op.cap > 0)) {
      return invalid_input("[graph] node {} (soft_cap): expected a cap above 0, got {}", node_.name, op.cap);
    }
    return width(0);
  }

  Result<int64_t> operator()(const Columns& op) const {
    HALFTONE_TRY(expect_inputs(1));
    if (op.first < 0 || op.width <= 0 || op.width > width(0) - op.first) {
      return invalid_input("[graph] node {} (columns): expected columns among the {} of {}, got {} from {} on",
                           node_.name, width(0), graph_.values[static_cast<size_t>(node_.inputs[0])].name, op.width,
                           op.first);
    }
    return op.width;
  }

 private:
  int64_t width(size_t input) const { return graph_.values[static_cast<size_t>(node_.inputs[input])].width; }

  Result<int64_t> same_widths() const {
    HALFTONE_TRY(expect_inputs(2));
    HALFTONE_TRY(expect_width(1, width(0)));
    return width(0);
  }

  // Inputs exist and come from earlier nodes (those have a width already).
  Status expect_inputs(size_t count) const {
    if (node_.inputs.size() != count) {
      return invalid_input("[graph] node {} ({}): expected {} inputs, got {}", node_.name, name_of(node_.op), count,
                           node_.inputs.size());
    }
    for (const ValueId input : node_.inputs) {
      if (input < 0 || static_cast<size_t>(input) >= graph_.values.size() || width_of(input) == 0) {
        return invalid_input("[graph] node {} ({}): expected inputs computed by earlier nodes, got value {}",
                             node_.name, name_of(node_.op), input);
      }
    }
    return {};
  }

  int64_t width_of(ValueId value) const { return graph_.values[static_cast<size_t>(value)].width; }

  Status expect_width(size_t input, int64_t expected) const {
    if (width(input) == expected) return {};
    return invalid_input("[graph] node {} ({}): expected input {} of width {}, got {} of width {}", node_.name,
                         name_of(node_.op), input, expected,
                         graph_.values[static_cast<size_t>(node_.inputs[input])].name, width(input));
  }

  Result<const WeightRef*> matrix(WeightId id, std::string_view role) const {
    if (id < 0 || static_cast<size_t>(id) >= graph_.weights.size()) {
      return error(role, fmt::format("one of {} weights", graph_.weights.size()), id);
    }
    const WeightRef& weight = graph_.weight(id);
    if (weight.rows <= 0 || weight.columns <= 0) {
      return invalid_input("[graph] node {} ({}): expected {} {} with rows and columns, got ({}, {})", node_.name,
                           name_of(node_.op), role, weight.name, weight.rows, weight.columns);
    }
    return &weight;
  }

  Status expect_vector(WeightId id, std::string_view role, int64_t size) const {
    HALFTONE_ASSIGN(const WeightRef* weight, matrix(id, role));
    if (weight->rows == 1 && weight->columns == size) return {};
    return invalid_input("[graph] node {} ({}): expected {} {} of shape (1, {}), got ({}, {})", node_.name,
                         name_of(node_.op), role, weight->name, size, weight->rows, weight->columns);
  }

  Status expect_frequencies(WeightId id, std::string_view role, int64_t size) const {
    HALFTONE_TRY(expect_vector(id, role, size));
    if (!graph_.weight(id).constant.empty()) return {};
    return invalid_input("[graph] node {} (rope): expected constant {}, got stored weight {}", node_.name, role,
                         graph_.weight(id).name);
  }

  Status error(std::string_view what, std::string_view expected, int64_t got) const {
    return invalid_input("[graph] node {} ({}): {}: expected {}, got {}", node_.name, name_of(node_.op), what, expected,
                         got);
  }

  const Graph& graph_;
  const Node& node_;
};

}  // namespace

Status infer_shapes(Graph& graph) {
  for (Value& value : graph.values) value.width = 0;
  for (const Node& node : graph.nodes) {
    if (node.output < 0 || static_cast<size_t>(node.output) >= graph.values.size()) {
      return invalid_input("[graph] node {}: expected an output among {} values, got {}", node.name,
                           graph.values.size(), node.output);
    }
    HALFTONE_ASSIGN(const int64_t width, std::visit(Inference(graph, node), node.op));
    graph.values[static_cast<size_t>(node.output)].width = width;
  }
  return {};
}

}  // namespace halftone
