// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>

#include "base/file_map.h"
#include "formats/tflite/importer.h"
#include "formats/tflite/operators.h"

namespace halftone::tflite {

using network::kNoValue;

namespace {

const std::map<int32_t, Rule>& rules() {
  static const std::map<int32_t, Rule> kRules = [] {
    std::map<int32_t, Rule> all;
    for (const auto list : {elementwise_rules(), window_rules(), axis_rules(), movement_rules()})
      for (const RuleRow& row : list) all.emplace(operator_code(row.name), row.rule);
    return all;
  }();
  return kRules;
}

}  // namespace

// Every operator that we lack, at once, with how often it occurs.
Status Importer::check_known() const {
  std::map<std::string, int> missing;
  for (const Operator& op : model_.operators)
    if (rules().count(op.code) == 0)
      ++missing[op.code == kCustomOperator ? fmt::format("custom \"{}\"", op.custom) : operator_name(op.code)];
  if (missing.empty()) return {};
  std::string list;
  for (const auto& [name, count] : missing) list += fmt::format("{}{} ({}x)", list.empty() ? "" : ", ", name, count);
  return unsupported("{}: expected operators that halftone computes, got {} more: {}; export the model without them",
                     buffer_.name(), missing.size(), list);
}

Status Importer::add_ports() {
  for (const int32_t tensor : model_.inputs) {
    const TensorInfo& info = model_.tensors[static_cast<size_t>(tensor)];
    const std::optional<DType> type = dtype_of(info.element);
    if (!type || info.element == Element::i4)
      return unsupported("{}: input {}: expected numbers of 8 bits or more, got {}", buffer_.name(), info.name,
                         name_of(info.element));
    if (stored(tensor) != kNoValue)
      return invalid_input("{}: input {}: expected it once, got it again", buffer_.name(), info.name);
    network::Port port{new_value(info.name), *type, true, {}};
    for (size_t axis = 0; axis < info.shape.size(); ++axis) {
      const int64_t size = info.signature.empty() ? info.shape[axis] : info.signature[axis];
      port.shape.push_back({size < 0 ? -1 : info.shape[axis], ""});
    }
    stored_[static_cast<size_t>(tensor)] = port.value;
    network_.inputs.push_back(std::move(port));
  }
  return {};
}

Status Importer::import_operator(const Operator& op, size_t index) {
  op_ = &op;
  index_ = index;
  for (const int32_t tensor : op.inputs) {
    if (tensor < 0 || stored(tensor) != kNoValue) continue;
    const TensorInfo& info = model_.tensors[static_cast<size_t>(tensor)];
    if (!info.is_constant)
      return refuse(
          StatusCode::invalid_input,
          fmt::format("expected inputs that an earlier operator, an input or a constant writes, got {}", info.name));
    HALFTONE_TRY(make_constant(tensor));
  }
  first_value_ = static_cast<network::ValueId>(network_.values.size());
  HALFTONE_TRY(rules().at(op.code)(*this));
  HALFTONE_TRY(buffer_.status());
  for (size_t i = 0; i < op.outputs.size(); ++i)
    if (stored(op.outputs[i]) == kNoValue)
      return refuse(StatusCode::unsupported, fmt::format("expected fewer outputs, got {}", op.outputs.size()));
  return {};
}

Result<network::Network> Importer::import() {
  HALFTONE_TRY(check_known());
  network_.name = model_.name;
  HALFTONE_TRY(add_ports());
  for (size_t i = 0; i < model_.operators.size(); ++i) HALFTONE_TRY(import_operator(model_.operators[i], i));
  for (const int32_t tensor : model_.outputs) {
    const TensorInfo& info = model_.tensors[static_cast<size_t>(tensor)];
    if (stored(tensor) == kNoValue)
      return invalid_input("{}: output {}: expected a value that an operator writes, got none", buffer_.name(),
                           info.name);
    network_.outputs.push_back({stored(tensor), dtype_of(info.element).value_or(DType::f32), false, {}});
  }
  HALFTONE_TRY(network::finish(network_));
  return std::move(network_);
}

Result<network::Network> import_tflite(std::span<const std::byte> file, std::string_view name,
                                       std::shared_ptr<const void> keep) {
  // Offsets inside the flatbuffer have 31 bits; what lies behind is data that buffers point at.
  FlatBuffer buffer(file.first(std::min<size_t>(file.size(), FLATBUFFERS_MAX_BUFFER_SIZE - 1)), name);
  HALFTONE_ASSIGN(const Model model, parse_tflite(buffer, file));
  return Importer(model, buffer, std::move(keep)).import();
}

Result<network::Network> import_tflite(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const auto map, FileMap::open(path));
  return import_tflite(map->bytes(), path.string(), map);
}

}  // namespace halftone::tflite
