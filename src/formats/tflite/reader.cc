// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "formats/tflite/operators.h"
#include "formats/tflite/tflite.h"

namespace halftone::tflite {
namespace {

constexpr std::array<std::string_view, 18> kElementNames = {
    "float32", "float16", "int32",      "uint8",  "int64",    "string",  "bool",   "int16",  "complex64",
    "int8",    "float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4"};

// Numbers of fields as the schema declares them.
enum ModelField { kVersion, kOperatorCodes, kSubgraphs, kDescription, kBuffers };
enum GraphField { kTensors, kInputs, kOutputs, kOperators, kGraphName };
enum TensorField { kShape, kType, kBuffer, kTensorName, kQuantization, kIsVariable, kSparsity, kSignature };
enum QuantizationField { kMin, kMax, kScale, kZeroPoint, kDetailsType, kDetails, kAxis };
enum OperatorField { kOpcodeIndex, kOpInputs, kOpOutputs, kOptionsType, kOptions };
enum CodeField { kOldCode, kCustomCode, kCodeVersion, kCode };
enum BufferField { kData, kOffset, kSize };

constexpr int32_t kNewCodes = 127;  // from here on the old byte cannot hold the code

struct OperatorCode {
  int32_t code;
  std::string custom;
};

class Reader {
 public:
  Reader(FlatBuffer& buffer, std::span<const std::byte> file) : buffer_(buffer), file_(file) {}

  Result<Model> read() {
    const FlatTable root = buffer_.root();
    HALFTONE_TRY(buffer_.status());
    if (const auto version = root.scalar<uint32_t>(kVersion, 0); version != 3)
      return invalid_input("{}: expected schema version 3, got {}", buffer_.name(), version);
    for (const FlatTable& code : root.tables(kOperatorCodes))
      codes_.push_back({std::max(int32_t{code.scalar<int8_t>(kOldCode, 0)}, code.scalar<int32_t>(kCode, 0)),
                        std::string(code.text(kCustomCode))});
    buffers_ = root.tables(kBuffers);
    const std::vector<FlatTable> graphs = root.tables(kSubgraphs);
    HALFTONE_TRY(buffer_.status());
    if (graphs.empty()) return invalid_input("{}: expected at least one graph, got none", buffer_.name());
    Model model;
    model.graphs = graphs.size();
    model.name = std::string(graphs[0].text(kGraphName));
    HALFTONE_TRY(read_tensors(graphs[0], model));
    HALFTONE_TRY(read_operators(graphs[0], model));
    model.inputs = graphs[0].list<int32_t>(kInputs);
    model.outputs = graphs[0].list<int32_t>(kOutputs);
    HALFTONE_TRY(buffer_.status());
    HALFTONE_TRY(check_indices(model, model.inputs, "the graph's inputs", false));
    HALFTONE_TRY(check_indices(model, model.outputs, "the graph's outputs", false));
    if (model.inputs.empty() || model.outputs.empty())
      return invalid_input("{}: expected inputs and outputs, got {} and {}", buffer_.name(), model.inputs.size(),
                           model.outputs.size());
    return model;
  }

 private:
  Status check_indices(const Model& model, std::span<const int32_t> indices, std::string_view where, bool optional) {
    for (const int32_t index : indices) {
      if (optional && index == -1) continue;
      if (index < 0 || static_cast<size_t>(index) >= model.tensors.size())
        return invalid_input("{}: {}: expected tensors below {}, got {}", buffer_.name(), where, model.tensors.size(),
                             index);
    }
    return {};
  }

  Status read_tensors(const FlatTable& graph, Model& model) {
    for (const FlatTable& table : graph.tables(kTensors)) {
      TensorInfo tensor;
      tensor.name = std::string(table.text(kTensorName));
      if (tensor.name.empty()) tensor.name = fmt::format("tensor_{}", model.tensors.size());
      const auto type = table.scalar<int8_t>(kType, 0);
      if (type < 0 || static_cast<size_t>(type) >= kElementNames.size())
        return invalid_input("{}: tensor {}: expected an element type from 0 to {}, got {}", buffer_.name(),
                             tensor.name, kElementNames.size() - 1, type);
      tensor.element = static_cast<Element>(type);
      for (const int32_t size : table.list<int32_t>(kShape)) tensor.shape.push_back(size);
      for (const int32_t size : table.list<int32_t>(kSignature)) tensor.signature.push_back(size);
      tensor.is_variable = table.scalar<uint8_t>(kIsVariable, 0) != 0;
      tensor.is_sparse = table.table(kSparsity).present();
      HALFTONE_TRY(read_quantization(table.table(kQuantization), tensor));
      HALFTONE_TRY(buffer_.status());
      HALFTONE_TRY(read_data(table.scalar<uint32_t>(kBuffer, 0), tensor));
      model.tensors.push_back(std::move(tensor));
    }
    return buffer_.status();
  }

  Status read_data(uint32_t index, TensorInfo& tensor) {
    if (!tensor.signature.empty() && tensor.signature.size() != tensor.shape.size())
      return invalid_input("{}: tensor {}: expected a signature of {} dimensions, got {}", buffer_.name(), tensor.name,
                           tensor.shape.size(), tensor.signature.size());
    int64_t elements = 1;
    for (const int64_t size : tensor.shape)
      if (size < 0 || __builtin_mul_overflow(elements, size, &elements) || elements > Tensor::kLimitBytes / 16)
        return invalid_input("{}: tensor {}: expected sizes of at most {} elements together, got {}", buffer_.name(),
                             tensor.name, Tensor::kLimitBytes / 16, text_of(tensor.shape));
    if (index == 0 && buffers_.empty()) return {};
    if (index >= buffers_.size())
      return invalid_input("{}: tensor {}: expected a buffer below {}, got {}", buffer_.name(), tensor.name,
                           buffers_.size(), index);
    const FlatTable& buffer = buffers_[index];
    tensor.data = buffer.bytes(kData);
    const auto offset = buffer.scalar<uint64_t>(kOffset, 0), size = buffer.scalar<uint64_t>(kSize, 0);
    HALFTONE_TRY(buffer_.status());
    if (offset > 1) {  // data behind the flatbuffer, of files beyond 2 GiB
      if (size > file_.size() || offset > file_.size() - size)
        return invalid_input("{}: tensor {}: expected data inside the file's {} bytes, got bytes {} to {}",
                             buffer_.name(), tensor.name, file_.size(), offset, offset + size);
      tensor.data = file_.subspan(offset, size);
    }
    tensor.is_constant = index != 0 && (!tensor.data.empty() || elements == 0);
    if (!tensor.is_constant) return {};
    const std::optional<DType> type = dtype_of(tensor.element);
    if (!type) return {};
    const int64_t bytes = tensor.element == Element::i4 ? (elements + 1) / 2 : elements * bytes_of(*type);
    if (static_cast<int64_t>(tensor.data.size()) == bytes) return {};
    return invalid_input("{}: tensor {}: expected {} bytes of {} {}, got {}", buffer_.name(), tensor.name, bytes,
                         name_of(tensor.element), text_of(tensor.shape), tensor.data.size());
  }

  Status read_quantization(const FlatTable& table, TensorInfo& tensor) {
    tensor.scales = table.list<float>(kScale);
    tensor.zero_points = table.list<int64_t>(kZeroPoint);
    tensor.axis = table.scalar<int32_t>(kAxis, 0);
    if (table.scalar<uint8_t>(kDetailsType, 0) != 0)
      return unsupported("{}: tensor {}: expected a scale and a zero point, got a custom quantization", buffer_.name(),
                         tensor.name);
    if (tensor.element == Element::f32 || tensor.element == Element::f16) tensor.scales.clear();
    if (tensor.scales.empty()) {
      tensor.zero_points.clear();
      return {};
    }
    for (const float scale : tensor.scales)
      if (!std::isfinite(scale) || scale < 0)
        return invalid_input("{}: tensor {}: expected finite scales of 0 or more, got {}", buffer_.name(), tensor.name,
                             scale);
    const size_t count = tensor.scales.size();
    if (count > 1 && (tensor.axis < 0 || tensor.axis >= static_cast<int64_t>(tensor.shape.size()) ||
                      tensor.shape[static_cast<size_t>(tensor.axis)] != static_cast<int64_t>(count)))
      return invalid_input("{}: tensor {}: expected one scale per index of axis {} of {}, got {}", buffer_.name(),
                           tensor.name, tensor.axis, text_of(tensor.shape), count);
    if (tensor.zero_points.size() <= 1)
      tensor.zero_points.resize(count, tensor.zero_points.empty() ? 0 : tensor.zero_points[0]);
    if (tensor.zero_points.size() != count)
      return invalid_input("{}: tensor {}: expected {} zero points like scales, got {}", buffer_.name(), tensor.name,
                           count, tensor.zero_points.size());
    return {};
  }

  Status read_operators(const FlatTable& graph, Model& model) {
    for (const FlatTable& table : graph.tables(kOperators)) {
      const std::string where = fmt::format("operator {}", model.operators.size());
      const auto index = table.scalar<uint32_t>(kOpcodeIndex, 0);
      HALFTONE_TRY(buffer_.status());
      if (index >= codes_.size())
        return invalid_input("{}: {}: expected an operator code below {}, got {}", buffer_.name(), where, codes_.size(),
                             index);
      Operator op;
      op.code = codes_[index].code;
      if (op.code == kCustomOperator) op.custom = codes_[index].custom;
      if (op.code == kNewCodes)
        return invalid_input("{}: {}: expected an operator, got a placeholder", buffer_.name(), where);
      op.inputs = table.list<int32_t>(kOpInputs);
      op.outputs = table.list<int32_t>(kOpOutputs);
      op.options = table.table(kOptions);
      HALFTONE_TRY(buffer_.status());
      HALFTONE_TRY(check_indices(model, op.inputs, where + " inputs", true));
      HALFTONE_TRY(check_indices(model, op.outputs, where + " outputs", false));
      model.operators.push_back(std::move(op));
    }
    return buffer_.status();
  }

  FlatBuffer& buffer_;
  std::span<const std::byte> file_;
  std::vector<OperatorCode> codes_;
  std::vector<FlatTable> buffers_;
};

}  // namespace

std::string_view name_of(Element element) { return kElementNames[static_cast<size_t>(element)]; }

std::optional<DType> dtype_of(Element element) {
  switch (element) {
    case Element::f32:
      return DType::f32;
    case Element::f16:
      return DType::f16;
    case Element::f64:
      return DType::f64;
    case Element::i64:
      return DType::i64;
    case Element::i32:
      return DType::i32;
    case Element::i16:
      return DType::i16;
    case Element::i8:
    case Element::i4:
      return DType::i8;
    case Element::u64:
      return DType::u64;
    case Element::u32:
      return DType::u32;
    case Element::u16:
      return DType::u16;
    case Element::u8:
      return DType::u8;
    case Element::boolean:
      return DType::boolean;
    default:
      return std::nullopt;
  }
}

Result<Model> parse_tflite(FlatBuffer& buffer, std::span<const std::byte> file) {
  if (!buffer.has_identifier("TFL3"))
    return invalid_input("{}: expected \"TFL3\" at offset 4, got something else; this is no TFLite model",
                         buffer.name());
  return Reader(buffer, file).read();
}

}  // namespace halftone::tflite
