// SPDX-License-Identifier: Apache-2.0
// One node of a file on its way into a network: what it says, and what is made of it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "formats/onnx/messages.h"
#include "formats/onnx/tensors.h"
#include "formats/onnx/types.h"
#include "graph/network/network.h"
#include "graph/network/types.h"

namespace halftone::onnx {

using network::kNoValue;
using network::Op;
using network::ValueId;

// The network while it is made: values with the types that are known so far.
class Draft {
 public:
  ValueId add_value(std::string_view hint);  // the name is made unique
  ValueId add_constant(std::string_view hint, Tensor tensor);
  void set_constant(ValueId id, Tensor tensor);
  void add_node(Op op, std::string name, std::vector<ValueId> inputs, std::vector<ValueId> outputs);

  network::MaybeType type_of(ValueId id) const { return id < 0 ? network::MaybeType() : types_[size_t(id)]; }
  void set_type(ValueId id, network::MaybeType type) { types_[size_t(id)] = type; }
  const Tensor* constant(ValueId id) const;  // null: not known before the network runs
  // The file's type of values that are narrower than what holds them.
  std::map<ValueId, ElementType> narrow;

  network::Network network;

 private:
  std::vector<network::MaybeType> types_;
  std::map<std::string, int, std::less<>> names_;  // and the next suffix that makes another of it
};

// Getters of attributes keep the first error, which the importer reads when the node is made; they return the default
// then. An attribute that nobody asked for is an error, too: it would be ignored.
class Lowering {
 public:
  // `attributes`: the node's, those that name a parameter of a function replaced by the call's.
  Lowering(Draft& draft, TensorLoader& loader, const NodeMessage& node, int64_t opset, std::string name,
           std::vector<ValueId> inputs, std::vector<ValueId> outputs,
           std::map<std::string_view, const AttributeMessage*> attributes);

  int64_t opset() const { return opset_; }
  std::string_view type() const { return node_.type; }

  bool has(std::string_view attribute);
  int64_t integer(std::string_view attribute, int64_t otherwise);
  int64_t required_integer(std::string_view attribute);
  bool flag(std::string_view attribute, bool otherwise = false) { return integer(attribute, otherwise ? 1 : 0) != 0; }
  float number(std::string_view attribute, float otherwise);
  std::string_view text(std::string_view attribute, std::string_view otherwise);
  std::vector<int64_t> integers(std::string_view attribute);
  std::vector<float> numbers(std::string_view attribute);
  std::vector<std::string_view> texts(std::string_view attribute);
  Result<Tensor> tensor(std::string_view attribute);
  // A type by its number; unsupported ones are an error.
  std::optional<ElementType> element(std::string_view attribute);
  void ignore(std::string_view attribute) { asked_.insert(attribute); }  // of no effect on results

  // One of a list of names; its index.
  template <class Enum, size_t kCount>
  Enum choice(std::string_view attribute, const std::string_view (&names)[kCount], Enum otherwise) {
    const auto [at, known] = find_choice(attribute, names, static_cast<size_t>(otherwise));
    return known ? static_cast<Enum>(at) : otherwise;
  }

  size_t inputs() const { return inputs_.size(); }
  size_t outputs() const { return outputs_.size(); }
  ValueId in(size_t i) const { return i < inputs_.size() ? inputs_[i] : kNoValue; }
  ValueId out(size_t i) const { return i < outputs_.size() ? outputs_[i] : kNoValue; }
  const std::vector<ValueId>& all_in() const { return inputs_; }
  const std::vector<ValueId>& all_out() const { return outputs_; }
  network::MaybeType type_of(ValueId id) const { return draft_.type_of(id); }
  const Tensor* constant(ValueId id) const { return draft_.constant(id); }
  Draft& draft() { return draft_; }

  ValueId integers_value(std::vector<int64_t> values);  // a constant vector
  ValueId integer_value(int64_t value);                 // a constant scalar
  ValueId scalar(double value, DType type);             // of any type
  ValueId constant_value(Tensor tensor);

  // Adds a node that makes one new value.
  ValueId make(Op op, std::vector<ValueId> inputs);
  void add(Op op, std::vector<ValueId> inputs, std::vector<ValueId> outputs);
  // The file's node as one op, inputs and outputs as they are.
  Status same(Op op);
  // The file's first output from these inputs.
  Status give(Op op, std::vector<ValueId> inputs);

  template <class... Args>
  void complain(fmt::format_string<Args...> format, Args&&... args) {
    if (status_.ok()) status_ = unsupported(format, std::forward<Args>(args)...);
  }
  // The first error of a getter, or an attribute that was not asked for.
  Status finish() const;

 private:
  const AttributeMessage* find(std::string_view attribute, AttributeKind kind);
  std::pair<size_t, bool> find_choice(std::string_view attribute, std::span<const std::string_view> names,
                                      size_t otherwise);

  Draft& draft_;
  TensorLoader& loader_;
  const NodeMessage& node_;
  int64_t opset_;
  std::string name_;
  std::vector<ValueId> inputs_, outputs_;
  std::map<std::string_view, const AttributeMessage*> attributes_;
  std::set<std::string_view> asked_;
  Status status_;
};

// A row of the table of operators. The function sees the operator at every opset that files are read of.
struct OpRow {
  std::string_view name;
  Status (*lower)(Lowering& node);
  std::string_view domain = "";
};

// One list per family, each in the file of ops/ that its name says.
std::span<const OpRow> elementwise_rows();
std::span<const OpRow> binary_rows();
std::span<const OpRow> axes_rows();
std::span<const OpRow> normalisation_rows();
std::span<const OpRow> window_rows();
std::span<const OpRow> product_rows();
std::span<const OpRow> movement_rows();
std::span<const OpRow> shape_rows();
std::span<const OpRow> image_rows();
std::span<const OpRow> quantized_rows();
std::span<const OpRow> transformer_rows();
std::span<const OpRow> loss_rows();

const OpRow* find_row(std::string_view domain, std::string_view name);  // null: none
std::vector<const OpRow*> all_rows();

}  // namespace halftone::onnx
