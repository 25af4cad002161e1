// SPDX-License-Identifier: Apache-2.0
// Turns operators into nodes. A rule of the table in import.cc reads one operator through an Importer and adds what it
// computes; rules never see quantization, which lies between the operators.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/tflite/tflite.h"

namespace halftone::tflite {

class Importer {
 public:
  Importer(const Model& model, FlatBuffer& buffer, std::shared_ptr<const void> keep);

  Result<network::Network> import();

  // ---- for rules: the operator at hand
  const FlatTable& options() const { return op_->options; }
  size_t input_count() const { return op_->inputs.size(); }
  size_t output_count() const { return op_->outputs.size(); }
  bool has_input(size_t i) const { return i < op_->inputs.size() && op_->inputs[i] >= 0; }
  // REQUIRES: has_input(i), i < output_count().
  const TensorInfo& input_info(size_t i) const;
  const TensorInfo& output_info(size_t i) const;
  // The real numbers of an input: an integer tensor with scales is dequantized first. Absent: kNoValue.
  network::ValueId input(size_t i);
  // Indices, shapes and axes as i64.
  network::ValueId indices(size_t i);
  // Their values, where they are a constant of at most kMaxIndices integers; an error names the input.
  Result<std::vector<int64_t>> constant_indices(size_t i, std::string_view what);
  // An input whose axis order[k] is axis k of the result. A constant is moved now, as the codes that it is.
  network::ValueId moved(size_t i, std::vector<int64_t> order);

  network::ValueId constant(std::span<const int64_t> values);  // i64, one axis
  network::ValueId constant(std::initializer_list<int64_t> values) {
    return constant(std::span(values.begin(), values.size()));
  }
  network::ValueId scalar(float value);
  // A node with one new output.
  network::ValueId add(network::Op op, std::vector<network::ValueId> inputs);
  std::vector<network::ValueId> add(network::Op op, std::vector<network::ValueId> inputs, size_t outputs);
  // The operator's i-th result: real numbers where the tensor is quantized. An error when there is no such output.
  Status give(size_t i, network::ValueId value);
  // The same behind the activation that the options name at `field`.
  Status give_activated(network::ValueId value, int field);

  Status refuse(StatusCode code, std::string_view problem) const;  // names the operator
  Status expect_inputs(size_t least, size_t most) const;

 private:
  std::string unique_name(const std::string& name);
  network::ValueId new_value(const std::string& name);
  network::ValueId stored(int32_t tensor);  // as the file holds it
  network::ValueId real(int32_t tensor);
  Status make_constant(int32_t tensor);
  network::ValueId add_constant(const std::string& name, Tensor tensor);
  network::ValueId dequantized(const TensorInfo& tensor, network::ValueId codes, int64_t axis, const std::string& name);
  std::pair<network::ValueId, network::ValueId> grid_of(const TensorInfo& tensor);
  Status add_ports();
  Status check_known() const;
  Status import_operator(const Operator& op, size_t index);

  const Model& model_;
  FlatBuffer& buffer_;
  std::shared_ptr<const void> keep_;
  network::Network network_;
  std::map<std::string, int> names_;             // how often each was asked for
  std::vector<network::ValueId> stored_, real_;  // by tensor; kNoValue: not made yet
  const Operator* op_ = nullptr;
  size_t index_ = 0;
  network::ValueId first_value_ = 0;  // made by the operator at hand
};

using Rule = Status (*)(Importer&);
struct RuleRow {
  std::string_view name;
  Rule rule;
};
// One list per file of rules; import.cc joins them.
std::span<const RuleRow> elementwise_rules();
std::span<const RuleRow> window_rules();
std::span<const RuleRow> axis_rules();
std::span<const RuleRow> movement_rules();

}  // namespace halftone::tflite
