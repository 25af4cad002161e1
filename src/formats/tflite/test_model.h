// SPDX-License-Identifier: Apache-2.0
// Writes small TFLite files for tests.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <string>
#include <variant>
#include <vector>

#include "formats/tflite/operators.h"
#include "formats/tflite/tflite.h"

namespace halftone::tflite {

// A field of an operator's options.
struct TestOption {
  int field;
  std::variant<int8_t, int32_t, float, std::vector<int32_t>> value;
};

struct TestTensor {
  std::string name;
  std::vector<int32_t> shape = {};
  Element element = Element::f32;
  std::string data = {};  // empty: no constant
  std::vector<float> scales = {};
  std::vector<int64_t> zero_points = {};
  int32_t axis = 0;
  std::vector<int32_t> signature = {};
};

class TestModel {
 public:
  int32_t tensor(TestTensor tensor) {
    tensors_.push_back(std::move(tensor));
    return static_cast<int32_t>(tensors_.size()) - 1;
  }
  template <class T>
  int32_t constant(std::string name, Element element, std::vector<int32_t> shape, const std::vector<T>& values) {
    return tensor({std::move(name), std::move(shape), element, bytes_of_values(values)});
  }
  template <class T>
  static std::string bytes_of_values(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
  }
  void op(std::string_view name, std::vector<int32_t> inputs, std::vector<int32_t> outputs,
          std::vector<TestOption> options = {}) {
    operators_.push_back(
        {operator_code(name), std::string(), std::move(inputs), std::move(outputs), std::move(options)});
  }
  void custom(std::string name, std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
    operators_.push_back({kCustomOperator, std::move(name), std::move(inputs), std::move(outputs), {}});
  }
  uint32_t version = 3;

  // The whole file.
  std::string write(const std::vector<int32_t>& inputs, const std::vector<int32_t>& outputs) {
    builder_.ForceDefaults(true);
    std::vector<Offset> buffers = {table({})}, tensors, codes, operators;
    for (const TestTensor& one : tensors_) {
      uint32_t buffer = 0;
      if (!one.data.empty()) {
        builder_.ForceVectorAlignment(one.data.size(), 1, 16);
        const auto data = list(std::vector<uint8_t>(one.data.begin(), one.data.end()));
        buffer = static_cast<uint32_t>(buffers.size());
        buffers.push_back(table({{0, data}}));
      }
      tensors.push_back(write_tensor(one, buffer));
    }
    for (const Operator& one : operators_) {
      std::vector<Field> code = {{0, static_cast<int8_t>(std::min(one.code, 127))}, {3, one.code}};
      if (!one.custom.empty()) code.push_back({1, text(one.custom)});
      const auto index = static_cast<uint32_t>(codes.size());
      codes.push_back(table(code));
      std::vector<Field> options;
      for (const TestOption& option : one.options)
        std::visit([&](const auto& value) { options.push_back({option.field, field_of(value)}); }, option.value);
      const Field kind = {3, uint8_t{1}};  // the union's type, which nobody needs to know
      operators.push_back(
          table({{0, index}, {1, list(one.inputs)}, {2, list(one.outputs)}, kind, {4, table(options)}}));
    }
    const Offset graph =
        table({{0, list(tensors)}, {1, list(inputs)}, {2, list(outputs)}, {3, list(operators)}, {4, text("main")}});
    const Offset model =
        table({{0, version}, {1, list(codes)}, {2, list(std::vector<Offset>{graph})}, {4, list(buffers)}});
    builder_.Finish(flatbuffers::Offset<flatbuffers::Table>(model.o), "TFL3");
    return {reinterpret_cast<const char*>(builder_.GetBufferPointer()), builder_.GetSize()};
  }

 private:
  using Offset = flatbuffers::Offset<void>;
  struct Field {
    int number;
    std::variant<int8_t, uint8_t, int32_t, uint32_t, float, Offset> value;
  };
  struct Operator {
    int32_t code;
    std::string custom;
    std::vector<int32_t> inputs, outputs;
    std::vector<TestOption> options;
  };

  template <class T>
  std::variant<int8_t, uint8_t, int32_t, uint32_t, float, Offset> field_of(const T& value) {
    if constexpr (std::is_same_v<T, std::vector<int32_t>>)
      return list(value);
    else
      return value;
  }
  template <class T>
  Offset list(const std::vector<T>& values) {
    return builder_.CreateVector(values).o;
  }
  Offset text(const std::string& value) { return builder_.CreateString(value).o; }
  Offset table(const std::vector<Field>& fields) {
    const auto start = builder_.StartTable();
    for (const Field& field : fields) {
      const auto at = static_cast<flatbuffers::voffset_t>(4 + 2 * field.number);
      std::visit(
          [&]<class T>(const T& value) {
            if constexpr (std::is_same_v<T, Offset>)
              builder_.AddOffset(at, value);
            else
              builder_.AddElement<T>(at, value, T{});
          },
          field.value);
    }
    return builder_.EndTable(start);
  }
  Offset write_tensor(const TestTensor& one, uint32_t buffer) {
    std::vector<Field> fields = {
        {0, list(one.shape)}, {1, static_cast<int8_t>(one.element)}, {2, buffer}, {3, text(one.name)}};
    if (!one.scales.empty())
      fields.push_back({4, table({{2, list(one.scales)}, {3, list(one.zero_points)}, {6, one.axis}})});
    if (!one.signature.empty()) fields.push_back({7, list(one.signature)});
    return table(fields);
  }

  flatbuffers::FlatBufferBuilder builder_;
  std::vector<TestTensor> tensors_;
  std::vector<Operator> operators_;
};

}  // namespace halftone::tflite
