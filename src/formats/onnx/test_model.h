// SPDX-License-Identifier: Apache-2.0
// For tests only: small ONNX models made by hand, field by field.
#pragma once

#include <bit>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "formats/onnx/onnx.h"
#include "formats/test_files.h"

namespace halftone::onnx {

// A protobuf message while it is written.
class Message {
 public:
  Message& integer(int field, int64_t value) {
    number(static_cast<uint64_t>(field) << 3);
    return number(static_cast<uint64_t>(value));
  }
  Message& real(int field, float value) {
    number(static_cast<uint64_t>(field) << 3 | 5);
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int i = 0; i < 4; ++i) bytes_.push_back(static_cast<char>(bits >> (8 * i)));
    return *this;
  }
  Message& text(int field, std::string_view value) {
    number(static_cast<uint64_t>(field) << 3 | 2);
    number(value.size());
    bytes_.append(value);
    return *this;
  }
  Message& message(int field, const Message& value) { return text(field, value.bytes_); }
  Message& number(uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_.push_back(static_cast<char>(value | 128));
    bytes_.push_back(static_cast<char>(value));
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

template <class T>
std::string raw_bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// `type` as ONNX numbers it: 1 float, 2 uint8, 7 int64, 9 bool ...
inline Message tensor_message(std::string_view name, int type, const std::vector<int64_t>& shape) {
  Message tensor;
  for (const int64_t size : shape) tensor.integer(1, size);
  return tensor.integer(2, type).text(8, name);
}
inline Message floats(std::string_view name, const std::vector<int64_t>& shape, const std::vector<float>& values) {
  return tensor_message(name, 1, shape).text(9, raw_bytes(values));
}
inline Message integers(std::string_view name, const std::vector<int64_t>& shape, const std::vector<int64_t>& values) {
  return tensor_message(name, 7, shape).text(9, raw_bytes(values));
}

inline Message attribute(std::string_view name, int kind) { return Message().text(1, name).integer(20, kind); }
inline Message attribute_of(std::string_view name, int64_t value) { return attribute(name, 2).integer(3, value); }
inline Message attribute_of(std::string_view name, float value) { return attribute(name, 1).real(2, value); }
inline Message attribute_of(std::string_view name, std::string_view value) { return attribute(name, 3).text(4, value); }
inline Message attribute_of(std::string_view name, const std::vector<int64_t>& values) {
  Message made = attribute(name, 7);
  for (const int64_t value : values) made.integer(8, value);
  return made;
}
inline Message attribute_of(std::string_view name, int kind, const Message& value) {  // 4: tensor, 5: graph
  return attribute(name, kind).message(kind + 1, value);
}

using Names = std::vector<std::string>;

inline Message node(std::string_view type, const Names& inputs, const Names& outputs,
                    const std::vector<Message>& attributes = {}, std::string_view domain = "",
                    std::string_view name = "") {
  Message made;
  for (const std::string& input : inputs) made.text(1, input);
  for (const std::string& output : outputs) made.text(2, output);
  made.text(3, name).text(4, type).text(7, domain);
  for (const Message& attribute : attributes) made.message(5, attribute);
  return made;
}

// A size, or a symbol.
struct TestDimension {
  int64_t size = 0;
  std::string symbol;
};
inline Message value(std::string_view name, int type, const std::vector<TestDimension>& shape) {
  Message dimensions;
  for (const TestDimension& dimension : shape)
    dimensions.message(
        1, dimension.symbol.empty() ? Message().integer(1, dimension.size) : Message().text(2, dimension.symbol));
  return Message().text(1, name).message(2, Message().message(1, Message().integer(1, type).message(2, dimensions)));
}

struct TestGraph {
  std::vector<Message> nodes, initializers, inputs, outputs;

  Message message() const {
    Message graph;
    for (const Message& part : nodes) graph.message(1, part);
    graph.text(2, "g");
    for (const Message& part : initializers) graph.message(5, part);
    for (const Message& part : inputs) graph.message(11, part);
    for (const Message& part : outputs) graph.message(12, part);
    return graph;
  }
};

inline Message opset(std::string_view domain, int64_t version) { return Message().text(1, domain).integer(2, version); }
inline std::string model(const TestGraph& graph, int64_t version = 17, const std::vector<Message>& functions = {}) {
  Message made;
  made.integer(1, 8).message(7, graph.message()).message(8, opset("", version));
  made.message(8, opset("com.microsoft", 1)).message(8, opset("local", 1));
  for (const Message& function : functions) made.message(25, function);
  return made.bytes();
}

// x (2, 3) → y with these nodes.
inline TestGraph graph_of(std::vector<Message> nodes, std::vector<Message> initializers = {}) {
  TestGraph graph;
  graph.nodes = std::move(nodes);
  graph.initializers = std::move(initializers);
  graph.inputs = {value("x", 1, {{2, ""}, {3, ""}})};
  graph.outputs = {value("y", 1, {})};
  return graph;
}

inline Result<network::Network> import_bytes(const std::string& bytes, const std::filesystem::path& folder = {}) {
  Source source{"m.onnx", bytes_of_text(bytes), nullptr, folder};
  return import_model(source);
}
inline std::string dump_of(const std::string& bytes) {
  const auto network = import_bytes(bytes);
  return network.ok() ? dump(*network) : std::string(network.status().message());
}

}  // namespace halftone::onnx
