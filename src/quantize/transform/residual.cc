// SPDX-License-Identifier: Apache-2.0
#include "quantize/transform/residual.h"

#include <algorithm>

#include "base/error.h"

namespace halftone {
namespace {

class ResidualFinder {
 public:
  ResidualFinder(const Graph& graph, const ScaleGroups& groups)
      : graph_(graph), groups_(groups), stream_(graph.values.size()) {}

  Result<Residual> find() {
    mark();
    for (const Node& node : graph_.nodes) {
      if (in_stream(node.output)) HALFTONE_TRY(written_by(node));
      if (std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return in_stream(id); }))
        HALFTONE_TRY(read_by(node));
    }
    if (found_.embedding == kNoWeight || found_.norms.empty())
      return unsupported("residual stream: expected an embedding and norms that read it, got none");
    return std::move(found_);
  }

 private:
  bool in_stream(ValueId id) const { return stream_[static_cast<size_t>(id)]; }

  // The embedding, and whatever sums connect with it, in either direction.
  void mark() {
    for (const Node& node : graph_.nodes)
      if (std::holds_alternative<Embedding>(node.op)) stream_[static_cast<size_t>(node.output)] = true;
    for (bool grown = true; grown;) {
      grown = false;
      for (const Node& node : graph_.nodes) {
        if (!std::holds_alternative<Add>(node.op)) continue;
        const ValueId ends[] = {node.inputs[0], node.inputs[1], node.output};
        if (std::none_of(std::begin(ends), std::end(ends), [&](ValueId id) { return in_stream(id); })) continue;
        for (const ValueId id : ends) {
          grown = grown || !in_stream(id);
          stream_[static_cast<size_t>(id)] = true;
        }
      }
    }
  }

  int reads(WeightId id) const {
    int count = 0;
    for (const Node& node : graph_.nodes) {
      if (const auto* linear = std::get_if<Linear>(&node.op)) count += linear->weight == id;
      if (const auto* embedding = std::get_if<Embedding>(&node.op)) count += embedding->table == id;
    }
    return count;
  }

  Status written_by(const Node& node) {
    if (std::holds_alternative<Add>(node.op)) return {};
    if (const auto* embedding = std::get_if<Embedding>(&node.op)) {
      if (reads(embedding->table) > 1)
        return unsupported(
            "residual stream: '{}' is embedding and head, and the last norm's gain fits one of them only",
            graph_.weight(embedding->table).name);
      found_.embedding = embedding->table;
      found_.width = graph_.values[static_cast<size_t>(node.output)].width;
      return {};
    }
    const auto* linear = std::get_if<Linear>(&node.op);
    if (linear == nullptr || reads(linear->weight) > 1)
      return unsupported("residual stream: {} ({}) adds to it, where only a matrix can be rotated", node.name,
                         name_of(node.op));
    found_.writers.push_back(linear->weight);
    if (linear->bias != kNoWeight) found_.writers.push_back(linear->bias);
    return {};
  }

  Status read_by(const Node& node) {
    if (std::holds_alternative<Add>(node.op)) return {};
    const auto group = std::find_if(groups_.groups.begin(), groups_.groups.end(), [&](const ScaleGroup& one) {
      return one.kind == GroupKind::norm && one.value == node.output;
    });
    if (!std::holds_alternative<RmsNorm>(node.op) || group == groups_.groups.end())
      return unsupported(
          "residual stream: {} ({}) reads it, where only an RMS norm before matrices lets a rotation through",
          node.name, name_of(node.op));
    found_.norms.push_back(&*group);
    return {};
  }

  const Graph& graph_;
  const ScaleGroups& groups_;
  std::vector<bool> stream_;  // by value
  Residual found_;
};

}  // namespace

Result<Residual> find_residual(const Graph& graph, const ScaleGroups& groups) {
  return ResidualFinder(graph, groups).find();
}

}  // namespace halftone
