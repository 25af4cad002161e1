// SPDX-License-Identifier: Apache-2.0
#include "formats/tflite/importer.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "formats/tflite/operators.h"

namespace halftone::tflite {

using network::kNoValue;
using network::ValueId;

namespace {

constexpr size_t kMaxIndices = 4096;

bool is_quantized(const TensorInfo& tensor) { return !tensor.scales.empty(); }

// Two codes of 4 bits per byte, the first in the low half.
Tensor unpacked_int4(const TensorInfo& info, Tensor tensor) {
  const auto codes = tensor.mutable_values<int8_t>();
  for (size_t i = 0; i < codes.size(); ++i) {
    const auto nibble = static_cast<uint8_t>(static_cast<uint8_t>(info.data[i / 2]) >> (4 * (i % 2)) & 15);
    codes[i] = static_cast<int8_t>(nibble < 8 ? nibble : nibble - 16);
  }
  return tensor;
}

// The same elements with axis order[k] as axis k.
Tensor moved_axes(const Tensor& from, std::span<const int64_t> order) {
  const size_t rank = order.size();
  Shape shape(rank);
  std::vector<int64_t> strides(rank), steps(rank);
  for (size_t axis = rank, stride = 1; axis-- > 0;) {
    strides[axis] = static_cast<int64_t>(stride);
    stride *= static_cast<size_t>(from.shape()[axis]);
  }
  for (size_t k = 0; k < rank; ++k) {
    shape[k] = from.dim(order[k]);
    steps[k] = strides[static_cast<size_t>(order[k])];
  }
  Result<Tensor> made = Tensor::make(from.type(), shape);
  HALFTONE_CHECK(made.ok());  // as large as one that exists
  const size_t size = static_cast<size_t>(bytes_of(from.type()));
  std::vector<int64_t> at(rank, 0);
  int64_t source = 0;
  for (size_t i = 0, count = static_cast<size_t>(from.elements()); i < count; ++i) {
    std::memcpy(made->mutable_bytes().data() + i * size, from.bytes().data() + static_cast<size_t>(source) * size,
                size);
    for (size_t k = rank; k-- > 0;) {
      source += steps[k];
      if (++at[k] < shape[k]) break;
      source -= steps[k] * shape[k];
      at[k] = 0;
    }
  }
  return *std::move(made);
}

// Integers of any width, or nothing.
std::optional<std::vector<int64_t>> integers(const Tensor& tensor) {
  std::vector<int64_t> values;
  const auto take = [&](auto span) { values.assign(span.begin(), span.end()); };
  if (static_cast<size_t>(tensor.elements()) > kMaxIndices) return std::nullopt;
  if (tensor.type() == DType::i32)
    take(tensor.values<int32_t>());
  else if (tensor.type() == DType::i64)
    take(tensor.values<int64_t>());
  else if (tensor.type() == DType::i16)
    take(tensor.values<int16_t>());
  else
    return std::nullopt;
  return values;
}

}  // namespace

Importer::Importer(const Model& model, FlatBuffer& buffer, std::shared_ptr<const void> keep)
    : model_(model),
      buffer_(buffer),
      keep_(std::move(keep)),
      stored_(model.tensors.size(), kNoValue),
      real_(model.tensors.size(), kNoValue) {}

std::string Importer::unique_name(const std::string& name) {
  for (;;) {
    const int times = ++names_[name];
    if (times == 1) return name;
    std::string numbered = fmt::format("{}#{}", name, times);
    if (++names_[numbered] == 1) return numbered;
  }
}

ValueId Importer::new_value(const std::string& name) {
  network_.values.push_back(unique_name(name));
  return static_cast<ValueId>(network_.values.size()) - 1;
}

ValueId Importer::add_constant(const std::string& name, Tensor tensor) {
  const ValueId id = new_value(name);
  network_.constants.emplace(id, std::move(tensor));
  return id;
}

Status Importer::make_constant(int32_t tensor) {
  const TensorInfo& info = model_.tensors[static_cast<size_t>(tensor)];
  const std::optional<DType> type = dtype_of(info.element);
  if (!type)
    return unsupported("{}: tensor {}: expected numbers, got {}", buffer_.name(), info.name, name_of(info.element));
  if (info.is_sparse)
    return unsupported("{}: tensor {}: expected a dense constant, got a sparse one", buffer_.name(), info.name);
  Result<Tensor> made =
      info.element == Element::i4 ? Tensor::make(*type, info.shape) : Tensor::map(*type, info.shape, info.data, keep_);
  if (!made.ok()) return made.status();
  if (info.element == Element::i4) made = unpacked_int4(info, *std::move(made));
  stored_[static_cast<size_t>(tensor)] = add_constant(info.name, *std::move(made));
  return {};
}

ValueId Importer::stored(int32_t tensor) { return stored_[static_cast<size_t>(tensor)]; }

// Scale and zero point as constants; a zero point of zeros is absent.
std::pair<ValueId, ValueId> Importer::grid_of(const TensorInfo& tensor) {
  const Shape shape = tensor.scales.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(tensor.scales.size())};
  const ValueId scale =
      add_constant(tensor.name + "/scale", Tensor::of<float>(DType::f32, shape, std::span(tensor.scales)));
  if (std::all_of(tensor.zero_points.begin(), tensor.zero_points.end(), [](int64_t zero) { return zero == 0; }) &&
      tensor.element != Element::u8)
    return {scale, kNoValue};
  const auto zeros = [&]<class T>(T, DType type) {
    const std::vector<T> values(tensor.zero_points.begin(), tensor.zero_points.end());
    return add_constant(tensor.name + "/zero", Tensor::of<T>(type, shape, std::span(values)));
  };
  switch (*dtype_of(tensor.element)) {
    case DType::u8:
      return {scale, zeros(uint8_t{}, DType::u8)};
    case DType::i8:
      return {scale, zeros(int8_t{}, DType::i8)};
    case DType::i16:
      return {scale, zeros(int16_t{}, DType::i16)};
    default:
      return {scale, zeros(int32_t{}, DType::i32)};
  }
}

ValueId Importer::dequantized(const TensorInfo& tensor, ValueId codes, int64_t axis, const std::string& name) {
  const auto [scale, zero] = grid_of(tensor);
  const ValueId out = new_value(name);
  network_.nodes.push_back({network::Dequantize{axis, 0}, name, {codes, scale, zero}, {out}});
  return out;
}

ValueId Importer::real(int32_t tensor) {
  const TensorInfo& info = model_.tensors[static_cast<size_t>(tensor)];
  ValueId& value = real_[static_cast<size_t>(tensor)];
  if (!is_quantized(info)) return stored(tensor);
  if (value == kNoValue) value = dequantized(info, stored(tensor), info.axis, info.name + "/real");
  return value;
}

const TensorInfo& Importer::input_info(size_t i) const { return model_.tensors[static_cast<size_t>(op_->inputs[i])]; }
const TensorInfo& Importer::output_info(size_t i) const { return model_.tensors[static_cast<size_t>(op_->outputs[i])]; }

ValueId Importer::input(size_t i) { return has_input(i) ? real(op_->inputs[i]) : kNoValue; }

ValueId Importer::indices(size_t i) {
  if (!has_input(i)) return kNoValue;
  const ValueId value = stored(op_->inputs[i]);
  if (input_info(i).element == Element::i64) return value;
  const auto found = network_.constants.find(value);
  if (found != network_.constants.end())
    if (const auto values = integers(found->second))
      return add_constant(input_info(i).name + "/i64",
                          Tensor::of<int64_t>(DType::i64, found->second.shape(), std::span(*values)));
  return add(network::Cast{DType::i64}, {value});
}

Result<std::vector<int64_t>> Importer::constant_indices(size_t i, std::string_view what) {
  if (has_input(i)) {
    const auto found = network_.constants.find(stored(op_->inputs[i]));
    if (found != network_.constants.end())
      if (auto values = integers(found->second)) return *std::move(values);
  }
  return refuse(StatusCode::unsupported,
                fmt::format("{}: expected a constant of at most {} integers, got another value", what, kMaxIndices));
}

ValueId Importer::moved(size_t i, std::vector<int64_t> order) {
  const TensorInfo& info = input_info(i);
  const ValueId value = stored(op_->inputs[i]);
  const auto found = network_.constants.find(value);
  if (found == network_.constants.end() || info.shape.size() != order.size())
    return add(network::Transpose{std::move(order)}, {input(i)});
  const ValueId turned = add_constant(info.name + "/turned", moved_axes(found->second, order));
  if (!is_quantized(info)) return turned;
  const auto axis = std::find(order.begin(), order.end(), info.axis) - order.begin();
  return dequantized(info, turned, axis, info.name + "/real");
}

ValueId Importer::constant(std::span<const int64_t> values) {
  return add_constant("constant", Tensor::of<int64_t>(DType::i64, {static_cast<int64_t>(values.size())}, values));
}

ValueId Importer::scalar(float value) {
  return add_constant("constant", Tensor::of<float>(DType::f32, {}, std::span<const float>(&value, 1)));
}

std::vector<ValueId> Importer::add(network::Op op, std::vector<ValueId> inputs, size_t outputs) {
  const std::string& name = op_->outputs.empty() ? network_.name : output_info(0).name;
  std::vector<ValueId> made;
  for (size_t i = 0; i < outputs; ++i) made.push_back(new_value(name + "/" + std::string(network::name_of(op))));
  network_.nodes.push_back({std::move(op), name, std::move(inputs), made});
  return made;
}

ValueId Importer::add(network::Op op, std::vector<ValueId> inputs) {
  return add(std::move(op), std::move(inputs), 1)[0];
}

Status Importer::give(size_t i, ValueId value) {
  if (i >= op_->outputs.size())
    return refuse(StatusCode::invalid_input,
                  fmt::format("expected at least {} outputs, got {}", i + 1, op_->outputs.size()));
  const int32_t tensor = op_->outputs[i];
  const TensorInfo& info = output_info(i);
  if (stored(tensor) != kNoValue)
    return refuse(StatusCode::invalid_input, fmt::format("expected to write {} alone, got a second writer", info.name));
  if (!is_quantized(info)) {
    // What this operator has made takes the tensor's name; what it only passes on needs a node to have another one.
    if (value < first_value_ || network_.constants.count(value) != 0) value = add(network::Identity{}, {value});
    network_.values[static_cast<size_t>(value)] = unique_name(info.name);
    stored_[static_cast<size_t>(tensor)] = value;
    return {};
  }
  const ValueId id = new_value(info.name);
  stored_[static_cast<size_t>(tensor)] = id;
  const auto [scale, zero] = grid_of(info);
  network_.nodes.push_back(
      {network::Quantize{*dtype_of(info.element), info.axis, 0}, info.name, {value, scale, zero}, {id}});
  return {};
}

Status Importer::give_activated(ValueId value, int field) {
  switch (const auto activation = options().scalar<int8_t>(field, 0)) {
    case 0:
      return give(0, value);
    case 1:
      return give(0, add(network::Unary{network::UnaryKind::relu}, {value}));
    case 2:
      return give(0, add(network::Clip{}, {value, scalar(-1), scalar(1)}));
    case 3:
      return give(0, add(network::Clip{}, {value, scalar(0), scalar(6)}));
    case 4:
      return give(0, add(network::Unary{network::UnaryKind::tanh}, {value}));
    default:
      return refuse(StatusCode::unsupported,
                    fmt::format("expected an activation from none to tanh (0 to 4), got {}", activation));
  }
}

Status Importer::refuse(StatusCode code, std::string_view problem) const {
  return {code, fmt::format("{}: operator {} ({}{}): {}", buffer_.name(), index_, operator_name(op_->code),
                            op_->outputs.empty() ? "" : ", writes " + output_info(0).name, problem)};
}

Status Importer::expect_inputs(size_t least, size_t most) const {
  size_t present = 0;
  for (size_t i = 0; i < op_->inputs.size(); ++i)
    if (op_->inputs[i] >= 0) present = i + 1;
  bool all = present >= least && present <= most;
  for (size_t i = 0; i < least && all; ++i) all = op_->inputs[i] >= 0;
  if (all) return {};
  return refuse(StatusCode::invalid_input, least == most
                                               ? fmt::format("expected {} inputs, got {}", least, present)
                                               : fmt::format("expected {} to {} inputs, got {}", least, most, present));
}

}  // namespace halftone::tflite
