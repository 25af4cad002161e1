// SPDX-License-Identifier: Apache-2.0
#include "quantize/evaluate/weight_table.h"

#include <span>

#include "base/error.h"

namespace halftone {
namespace {

Result<WeightView> stored_weight(const ModelFile& file, const WeightRef& ref) {
  const StoredTensor* tensor = file.find(ref.name);
  if (tensor == nullptr) {
    return not_found("[evaluate] {}: expected a tensor {} of {} x {}, got none", file.path.string(), ref.name, ref.rows,
                     ref.columns);
  }
  if (tensor->layout == nullptr || tensor->shape.size() > 2) {
    return unsupported("[evaluate] {}: tensor {}: expected a matrix or vector of floats or packed codes, got {}",
                       file.path.string(), ref.name, name_of(tensor->element_type));
  }
  const WeightView view = tensor->view();
  if (view.rows != ref.rows || view.columns != ref.columns) {
    return invalid_input("[evaluate] {}: tensor {}: expected {} x {}, got {} x {}", file.path.string(), ref.name,
                         ref.rows, ref.columns, view.rows, view.columns);
  }
  return view;
}

std::vector<float> decode_all(const WeightView& view) {
  std::vector<float> values(static_cast<size_t>(view.rows * view.columns));
  for (int64_t row = 0; row < view.rows; ++row) decode_row(view, row, values.data() + row * view.columns);
  return values;
}

std::vector<float> decode_vector(const WeightRef& ref, const WeightView& stored) {
  if (!ref.constant.empty()) return ref.constant;
  std::vector<float> values = decode_all(stored);
  if (ref.offset != 0) {
    for (float& value : values) value += ref.offset;
  }
  return values;
}

}  // namespace

Result<WeightTable> WeightTable::create(const Graph& graph, const ModelFile& file) {
  WeightTable table(graph);
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    const WeightRef& ref = graph.weights[i];
    if (ref.constant.empty()) {
      HALFTONE_ASSIGN(table.entries_[i].stored, stored_weight(file, ref));
    }
    table.restore(static_cast<WeightId>(i));
  }
  return table;
}

std::vector<float> WeightTable::values(WeightId id) const {
  return is_matrix(id) ? decode_all(matrix(id)) : vector(id);
}

void WeightTable::replace(WeightId id, std::vector<float> values) {
  const WeightRef& weight = ref(id);
  HALFTONE_CHECK(static_cast<int64_t>(values.size()) == weight.rows * weight.columns);
  Entry& target = entry(id);
  target.values = std::move(values);
  target.panels = {};
  if (!is_matrix(id)) return;
  target.view = {&layout_of(LayoutId::f32), Order::rows, weight.rows, weight.columns,
                 std::as_bytes(std::span(target.values))};
}

void WeightTable::replace(WeightId id, const Layout& layout, AlignedBuffer<std::byte> panels) {
  const WeightRef& weight = ref(id);
  HALFTONE_CHECK(is_matrix(id) && panels.bytes() == layout.bytes(weight.rows, weight.columns, Order::panel16));
  Entry& target = entry(id);
  target.panels = std::move(panels);
  target.values = {};
  target.view = {&layout, Order::panel16, weight.rows, weight.columns, {target.panels.data(), target.panels.size()}};
}

void WeightTable::restore(WeightId id) {
  Entry& target = entry(id);
  target.view = target.stored;
  target.panels = {};
  target.values = is_matrix(id) ? std::vector<float>() : decode_vector(ref(id), target.stored);
}

}  // namespace halftone
