// SPDX-License-Identifier: Apache-2.0
// What an ONNX file says, as plain structs that view its bytes. Field numbers and meanings: FORMAT.md. Nothing here is
// compared with anything yet: that is the importer's job.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_reader.h"
#include "halftone/status.h"

namespace halftone::onnx {

// Numbers of a constant. Long ones lie in `raw` or in a file beside the model; short ones may be written one by one in
// a field of their type, which load_tensor() walks again in `message`.
struct TensorMessage {
  std::string_view name;
  int32_t type = 0;
  std::vector<int64_t> shape;
  bool has_raw = false, external = false;
  std::span<const std::byte> raw;
  std::vector<std::pair<std::string_view, std::string_view>> external_data;
  std::span<const std::byte> message;
  uint64_t offset = 0;  // of `message` in the file
};

struct DimensionMessage {
  int64_t size = -1;  // -1: not said
  std::string_view symbol;
};
struct TypeMessage {
  std::string_view kind;  // "tensor", "sequence", ...; empty: no type
  int32_t element = 0;    // of a tensor
  bool has_shape = false;
  std::vector<DimensionMessage> shape;
};
struct ValueMessage {
  std::string_view name;
  TypeMessage type;
};

struct GraphMessage;

enum class AttributeKind : uint8_t { none, number, integer, text, tensor, graph, numbers, integers, texts, other };
struct AttributeMessage {
  std::string_view name;
  std::string_view parameter;  // in a function's body: the attribute of the call whose value this takes
  int32_t declared_kind = 0;
  AttributeKind kind() const;

  float number = 0;
  int64_t integer = 0;
  std::string_view text;
  std::vector<TensorMessage> tensors;  // one at most
  std::vector<GraphMessage> graphs;    // one at most
  std::vector<float> numbers;
  std::vector<int64_t> integers;
  std::vector<std::string_view> texts;
  bool has_number = false, has_integer = false, has_text = false;
};

struct NodeMessage {
  std::string_view name, type, domain, overload;
  std::vector<std::string_view> inputs, outputs;
  std::vector<AttributeMessage> attributes;
};

struct GraphMessage {
  std::string_view name;
  std::vector<NodeMessage> nodes;
  std::vector<TensorMessage> initializers;
  std::vector<ValueMessage> inputs, outputs, values;
  size_t sparse_initializers = 0;
};

struct OpsetMessage {
  std::string_view domain;
  int64_t version = 0;
};
struct FunctionMessage {
  std::string_view name, domain, overload;
  std::vector<std::string_view> inputs, outputs, parameters;
  std::vector<AttributeMessage> defaults;  // parameters with a default
  std::vector<NodeMessage> nodes;
  std::vector<OpsetMessage> opsets;
};

struct ModelMessage {
  int64_t format_version = 0;  // "ir_version"
  std::string_view producer;
  std::vector<OpsetMessage> opsets;
  std::vector<FunctionMessage> functions;
  bool has_graph = false;
  GraphMessage graph;
};

inline constexpr int kMaxDepth = 24;  // graphs in attributes in nodes in graphs ...

// Bytes stay borrowed; `name` stands for the file in messages and is borrowed, too.
Result<ModelMessage> parse_model(std::span<const std::byte> bytes, std::string_view name);
Result<TensorMessage> parse_tensor(std::span<const std::byte> bytes, std::string_view name);

// The numbers that `message` holds in a field of their own type, in file order.
struct TypedNumbers {
  std::vector<float> floats;
  std::vector<int64_t> integers;  // int32_data, int64_data or uint64_data, as 64 bits
  std::vector<double> doubles;
  size_t texts = 0;
};
// REQUIRES: `message` was parsed. At most `limit` numbers: more are an error.
Result<TypedNumbers> typed_numbers(const TensorMessage& tensor, std::string_view name, uint64_t limit);

}  // namespace halftone::onnx
