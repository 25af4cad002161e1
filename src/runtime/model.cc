// SPDX-License-Identifier: Apache-2.0
#include "runtime/model.h"

#include <set>

#include "base/error.h"

namespace halftone {
namespace {

Status check_shape(const WeightRef& ref, const WeightView& view) {
  if (view.layout == nullptr) {
    return not_found("[bind] tensor {}: expected a matrix of {} x {}, got nothing; the file lacks it", ref.name,
                     ref.rows, ref.columns);
  }
  if (view.rows != ref.rows || view.columns != ref.columns) {
    return invalid_input("[bind] tensor {}: expected {} x {}, got {} x {}", ref.name, ref.rows, ref.columns, view.rows,
                         view.columns);
  }
  const int64_t needed = view.layout->bytes(view.rows, view.columns, view.order);
  if (static_cast<int64_t>(view.data.size()) < needed) {
    return invalid_input("[bind] tensor {}: expected {} bytes of {}, got {}", ref.name, needed, view.layout->name,
                         view.data.size());
  }
  return {};
}

std::set<WeightId> weights_of_linears(const Graph& graph) {
  std::set<WeightId> ids;
  for (const Node& node : graph.nodes) {
    if (const auto* linear = std::get_if<Linear>(&node.op)) ids.insert(linear->weight);
  }
  return ids;
}

Status check_inputs(const Graph& graph, const std::set<WeightId>& linears, const std::vector<StaticRange>& inputs) {
  WeightId with = kNoWeight, without = kNoWeight;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto id = static_cast<WeightId>(i);
    const bool is_read = linears.contains(id);
    if (inputs[i].exists() && !is_read)
      return invalid_input("[bind] tensor {}: expected no range of inputs, as it is only looked up, got one of {} bits",
                           graph.weight(id).name, inputs[i].bits);
    if (is_read) (inputs[i].exists() ? with : without) = id;
  }
  if (with == kNoWeight || without == kNoWeight) return {};
  return invalid_input("[bind] tensor {}: expected a range of its inputs, as {} has one, got none; quantize again",
                       graph.weight(without).name, graph.weight(with).name);
}

}  // namespace

Result<std::shared_ptr<const Model>> Model::bind(Graph graph, const std::function<WeightView(std::string_view)>& find,
                                                 std::shared_ptr<const void> keep,
                                                 const std::function<StaticRange(std::string_view)>& input_of) {
  std::shared_ptr<Model> model(new Model());
  model->weights_.resize(graph.weights.size());
  model->vectors_.resize(graph.weights.size());
  model->inputs_.resize(graph.weights.size());
  const std::set<WeightId> linears = weights_of_linears(graph);
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    const WeightRef& ref = graph.weights[i];
    if (!ref.constant.empty()) {
      model->vectors_[i] = ref.constant;
      continue;
    }
    const WeightView view = find(ref.name);
    HALFTONE_TRY(check_shape(ref, view));
    const int64_t bytes = view.layout->bytes(view.rows, view.columns, view.order);
    model->weight_bytes_ += bytes;
    if (ref.rows == 1) {
      model->vectors_[i].resize(static_cast<size_t>(ref.columns));
      decode_row(view, 0, model->vectors_[i].data());
      if (ref.offset != 0) {
        for (float& value : model->vectors_[i]) value += ref.offset;
      }
      continue;
    }
    model->weights_[i] = view;
    if (input_of) model->inputs_[i] = input_of(ref.name);
    // A table that is only looked up costs one row a token.
    const bool whole = linears.contains(static_cast<WeightId>(i));
    model->decode_bytes_ += whole ? bytes : bytes / ref.rows;
  }
  HALFTONE_TRY(check_inputs(graph, linears, model->inputs_));
  if (graph.logits < 0) return invalid_input("[bind] expected a graph with logits, got none");
  model->vocabulary_ = graph.values[static_cast<size_t>(graph.logits)].width;
  model->keep_ = std::move(keep);
  model->graph_ = std::move(graph);
  return std::shared_ptr<const Model>(std::move(model));
}

int64_t Model::kv_bytes_per_token(KvType type) const {
  int64_t bytes = 0;
  for (const StateRef& state : graph_.states) bytes += state.kv_heads * kv_token_bytes(type, state.head_dim);
  return bytes;
}

}  // namespace halftone
