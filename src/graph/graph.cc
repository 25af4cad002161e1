// SPDX-License-Identifier: Apache-2.0
#include "graph/graph.h"

#include <utility>

#include "base/error.h"

namespace halftone {

WeightId GraphBuilder::weight(std::string name, int64_t rows, int64_t columns) {
  const auto found = weight_ids_.find(name);
  if (found != weight_ids_.end()) {
    const WeightRef& known = graph_.weight(found->second);
    if (mistake_.ok() && (known.rows != rows || known.columns != columns)) {
      mistake_ = invalid_input("[graph] weight {}: expected one shape, got ({}, {}) and ({}, {})", name, known.rows,
                               known.columns, rows, columns);
    }
    return found->second;
  }
  const auto id = static_cast<WeightId>(graph_.weights.size());
  weight_ids_.emplace(name, id);
  graph_.weights.push_back({std::move(name), rows, columns, {}});
  return id;
}

WeightId GraphBuilder::vector(std::string name, int64_t size, float offset) {
  const size_t before = graph_.weights.size();
  const WeightId id = weight(std::move(name), 1, size);
  if (graph_.weights.size() > before) {
    graph_.weights.back().offset = offset;
  } else if (mistake_.ok() && graph_.weight(id).offset != offset) {
    mistake_ = invalid_input("[graph] weight {}: expected one offset, got {} and {}", graph_.weight(id).name,
                             graph_.weight(id).offset, offset);
  }
  return id;
}

WeightId GraphBuilder::constant(std::string name, std::vector<float> values) {
  const size_t before = graph_.weights.size();
  const WeightId id = vector(std::move(name), static_cast<int64_t>(values.size()));
  if (graph_.weights.size() > before) {
    graph_.weights.back().constant = std::move(values);
  } else if (mistake_.ok() && graph_.weight(id).constant != values) {
    mistake_ = invalid_input("[graph] constant {}: expected one content, got two", graph_.weight(id).name);
  }
  return id;
}

StateId GraphBuilder::state(std::string name, int32_t kv_heads, int32_t head_dim, int64_t window) {
  graph_.states.push_back({std::move(name), kv_heads, head_dim, window});
  return static_cast<StateId>(graph_.states.size() - 1);
}

ValueId GraphBuilder::add(std::string name, Op op, std::vector<ValueId> inputs) {
  const auto output = static_cast<ValueId>(graph_.values.size());
  for (const ValueId input : inputs) {
    if (mistake_.ok() && (input < 0 || input >= output)) {
      mistake_ = invalid_input("[graph] node {}: expected inputs among the {} earlier values, got value {}", name,
                               output, input);
    }
  }
  graph_.values.push_back({name, 0});
  graph_.nodes.push_back({std::move(op), std::move(name), std::move(inputs), output});
  return output;
}

Result<Graph> GraphBuilder::finish(ValueId logits) && {
  HALFTONE_TRY(mistake_);
  if (logits < 0 || static_cast<size_t>(logits) >= graph_.values.size()) {
    return invalid_input("[graph] expected logits among {} values, got value {}", graph_.values.size(), logits);
  }
  graph_.logits = logits;
  HALFTONE_TRY(infer_shapes(graph_));
  return std::move(graph_);
}

}  // namespace halftone
