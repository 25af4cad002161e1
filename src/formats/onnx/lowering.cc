// SPDX-License-Identifier: Apache-2.0
#include "formats/onnx/lowering.h"

#include <algorithm>
#include <array>
#include <limits>

namespace halftone::onnx {
namespace {

constexpr std::array<std::string_view, 10> kKindNames = {"nothing",  "a number",      "an integer", "a text",
                                                         "a tensor", "a graph",       "numbers",    "integers",
                                                         "texts",    "something else"};

// Beyond the range of an integer type its nearest number.
template <class T>
Tensor filled(DType type, double value) {
  if constexpr (std::is_integral_v<T>) {
    constexpr double kLeast = static_cast<double>(std::numeric_limits<T>::min());
    constexpr double kMost = static_cast<double>(std::numeric_limits<T>::max());
    const T element = value >= kMost    ? std::numeric_limits<T>::max()
                      : value <= kLeast ? std::numeric_limits<T>::min()
                                        : static_cast<T>(value);
    return Tensor::of<T>(type, {}, std::span(&element, 1));
  } else {
    const T element = static_cast<T>(value);
    return Tensor::of<T>(type, {}, std::span(&element, 1));
  }
}

}  // namespace

ValueId Draft::add_value(std::string_view hint) {
  std::string name(hint);
  if (const auto taken = names_.find(name); taken != names_.end()) {
    do {
      name = fmt::format("{}/{}", hint, taken->second++);
    } while (names_.contains(name));
  }
  names_.emplace(name, 1);
  network.values.push_back(std::move(name));
  types_.emplace_back();
  return static_cast<ValueId>(network.values.size()) - 1;
}

ValueId Draft::add_constant(std::string_view hint, Tensor tensor) {
  const ValueId id = add_value(hint);
  set_constant(id, std::move(tensor));
  return id;
}

void Draft::set_constant(ValueId id, Tensor tensor) {
  set_type(id, tensor.type());
  network.constants.insert_or_assign(id, std::move(tensor));
}

void Draft::add_node(Op op, std::string name, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
  std::vector<network::MaybeType> types;
  for (const ValueId id : inputs) types.push_back(type_of(id));
  const auto made = network::output_types(op, types, std::max<size_t>(outputs.size(), 1));
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i] != kNoValue) set_type(outputs[i], made[i]);
  network.nodes.push_back({std::move(op), std::move(name), std::move(inputs), std::move(outputs)});
}

const Tensor* Draft::constant(ValueId id) const {
  const auto found = network.constants.find(id);
  return found == network.constants.end() ? nullptr : &found->second;
}

Lowering::Lowering(Draft& draft, TensorLoader& loader, const NodeMessage& node, int64_t opset, std::string name,
                   std::vector<ValueId> inputs, std::vector<ValueId> outputs,
                   std::map<std::string_view, const AttributeMessage*> attributes)
    : draft_(draft),
      loader_(loader),
      node_(node),
      opset_(opset),
      name_(std::move(name)),
      inputs_(std::move(inputs)),
      outputs_(std::move(outputs)),
      attributes_(std::move(attributes)) {
  while (!inputs_.empty() && inputs_.back() == kNoValue) inputs_.pop_back();
}

const AttributeMessage* Lowering::find(std::string_view attribute, AttributeKind kind) {
  asked_.insert(attribute);
  const auto found = attributes_.find(attribute);
  if (found == attributes_.end()) return nullptr;
  if (found->second->kind() == kind) return found->second;
  // Old writers leave out the kind of an empty list.
  if (found->second->kind() != AttributeKind::none && status_.ok())
    status_ = invalid_input("attribute {}: expected {}, got {}", attribute, kKindNames[static_cast<size_t>(kind)],
                            kKindNames[static_cast<size_t>(found->second->kind())]);
  return nullptr;
}

bool Lowering::has(std::string_view attribute) { return attributes_.contains(attribute); }

int64_t Lowering::integer(std::string_view attribute, int64_t otherwise) {
  const AttributeMessage* found = find(attribute, AttributeKind::integer);
  return found == nullptr ? otherwise : found->integer;
}

int64_t Lowering::required_integer(std::string_view attribute) {
  if (!has(attribute) && status_.ok())
    status_ = invalid_input("attribute {}: expected an integer, got none", attribute);
  return integer(attribute, 0);
}

float Lowering::number(std::string_view attribute, float otherwise) {
  const AttributeMessage* found = find(attribute, AttributeKind::number);
  return found == nullptr ? otherwise : found->number;
}

std::string_view Lowering::text(std::string_view attribute, std::string_view otherwise) {
  const AttributeMessage* found = find(attribute, AttributeKind::text);
  return found == nullptr ? otherwise : found->text;
}

std::vector<int64_t> Lowering::integers(std::string_view attribute) {
  const AttributeMessage* found = find(attribute, AttributeKind::integers);
  return found == nullptr ? std::vector<int64_t>() : found->integers;
}

std::vector<float> Lowering::numbers(std::string_view attribute) {
  const AttributeMessage* found = find(attribute, AttributeKind::numbers);
  return found == nullptr ? std::vector<float>() : found->numbers;
}

std::vector<std::string_view> Lowering::texts(std::string_view attribute) {
  const AttributeMessage* found = find(attribute, AttributeKind::texts);
  return found == nullptr ? std::vector<std::string_view>() : found->texts;
}

Result<Tensor> Lowering::tensor(std::string_view attribute) {
  const AttributeMessage* found = find(attribute, AttributeKind::tensor);
  if (found == nullptr || found->tensors.empty())
    return invalid_input("attribute {}: expected a tensor, got none", attribute);
  return loader_.load(found->tensors.front());
}

std::optional<ElementType> Lowering::element(std::string_view attribute) {
  const AttributeMessage* found = find(attribute, AttributeKind::integer);
  if (found == nullptr) return {};
  const auto type = element_type(found->integer);
  if (!type) complain("values of type {}", element_name(found->integer));
  return type;
}

std::pair<size_t, bool> Lowering::find_choice(std::string_view attribute, std::span<const std::string_view> names,
                                              size_t otherwise) {
  const std::string_view said = text(attribute, names[otherwise]);
  const auto found = std::ranges::find(names, said);
  if (found == names.end()) complain("attribute {} with the value '{}'", attribute, said);
  return {static_cast<size_t>(found - names.begin()), found != names.end()};
}

ValueId Lowering::integers_value(std::vector<int64_t> values) {
  return constant_value(
      Tensor::of<int64_t>(DType::i64, {static_cast<int64_t>(values.size())}, std::span<const int64_t>(values)));
}

ValueId Lowering::integer_value(int64_t value) {
  return constant_value(Tensor::of<int64_t>(DType::i64, {}, std::span<const int64_t>(&value, 1)));
}

ValueId Lowering::scalar(double value, DType type) {
  switch (type) {
    case DType::f64:
      return constant_value(filled<double>(type, value));
    case DType::f32:
      return constant_value(filled<float>(type, value));
    case DType::f16:
      return constant_value(filled<uint16_t>(type, f32_to_f16(static_cast<float>(value))));
    case DType::bf16:
      return constant_value(filled<uint16_t>(type, f32_to_bf16(static_cast<float>(value))));
    case DType::i64:
      return constant_value(filled<int64_t>(type, value));
    case DType::i32:
      return constant_value(filled<int32_t>(type, value));
    case DType::i16:
      return constant_value(filled<int16_t>(type, value));
    case DType::i8:
      return constant_value(filled<int8_t>(type, value));
    case DType::u64:
      return constant_value(filled<uint64_t>(type, value));
    case DType::u32:
      return constant_value(filled<uint32_t>(type, value));
    case DType::u16:
      return constant_value(filled<uint16_t>(type, value));
    case DType::u8:
      return constant_value(filled<uint8_t>(type, value));
    case DType::boolean:
      return constant_value(filled<bool>(type, value));
  }
  return kNoValue;
}

ValueId Lowering::constant_value(Tensor tensor) { return draft_.add_constant(name_, std::move(tensor)); }

ValueId Lowering::make(Op op, std::vector<ValueId> inputs) {
  const ValueId made = draft_.add_value(name_);
  add(std::move(op), std::move(inputs), {made});
  return made;
}

void Lowering::add(Op op, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
  draft_.add_node(std::move(op), name_, std::move(inputs), std::move(outputs));
}

Status Lowering::same(Op op) {
  add(std::move(op), inputs_, outputs_);
  return {};
}

Status Lowering::give(Op op, std::vector<ValueId> inputs) {
  add(std::move(op), std::move(inputs), {out(0)});
  return {};
}

Status Lowering::finish() const {
  HALFTONE_TRY(status_);
  for (const auto& [name, attribute] : attributes_)
    if (!asked_.contains(name)) return unsupported("attribute {}", name);
  return {};
}

const OpRow* find_row(std::string_view domain, std::string_view name) {
  static const auto kByName = [] {
    std::map<std::pair<std::string_view, std::string_view>, const OpRow*> rows;
    for (const OpRow* row : all_rows()) HALFTONE_CHECK(rows.emplace(std::pair(row->domain, row->name), row).second);
    return rows;
  }();
  const auto found = kByName.find({domain == "ai.onnx" ? "" : domain, name});
  return found == kByName.end() ? nullptr : found->second;
}

std::vector<const OpRow*> all_rows() {
  std::vector<const OpRow*> rows;
  for (const auto family :
       {elementwise_rows(), binary_rows(), axes_rows(), normalisation_rows(), window_rows(), product_rows(),
        movement_rows(), shape_rows(), image_rows(), quantized_rows(), transformer_rows(), loss_rows()})
    for (const OpRow& row : family) rows.push_back(&row);
  return rows;
}

}  // namespace halftone::onnx
