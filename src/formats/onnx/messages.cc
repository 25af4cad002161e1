// SPDX-License-Identifier: Apache-2.0
#include "formats/onnx/messages.h"

#include "formats/onnx/fields.h"

namespace halftone::onnx {
namespace {

using Tag = ByteReader::Tag;

// Reads messages that may hold one another, down to a depth that no honest file reaches.
class MessageReader {
 public:
  Status read(ByteReader reader, ModelMessage& model);
  Status read(ByteReader reader, TensorMessage& tensor);

 private:
  Status read(ByteReader reader, GraphMessage& graph);
  Status read(ByteReader reader, NodeMessage& node);
  Status read(ByteReader reader, AttributeMessage& attribute);
  Status read(ByteReader reader, FunctionMessage& function);
  Status read(ByteReader reader, OpsetMessage& opset);
  Status read(ByteReader reader, ValueMessage& value);
  Status read(ByteReader reader, TypeMessage& type);
  Status read(ByteReader reader, DimensionMessage& dimension);
  Status read_tensor_type(ByteReader reader, TypeMessage& type);

  template <class Message>
  Status nested(ByteReader& reader, Tag tag, Message& message) {
    HALFTONE_TRY(expect_wire(reader, tag, Wire::length));
    HALFTONE_ASSIGN(const ByteReader inner, reader.message());
    if (depth_ == kMaxDepth)
      return inner.error(fmt::format("expected messages nested at most {} deep, got more", kMaxDepth));
    ++depth_;
    HALFTONE_TRY(read(inner, message));
    --depth_;
    return {};
  }
  template <class Message>
  Status nested(ByteReader& reader, Tag tag, std::vector<Message>& messages) {
    return nested(reader, tag, messages.emplace_back());
  }

  int depth_ = 0;
};

Status MessageReader::read(ByteReader reader, ModelMessage& model) {
  return each_field(reader, [&](ByteReader& field, Tag tag) -> Status {
    switch (tag.field) {
      case 1:
        return take(field, tag, model.format_version);
      case 2:
        return take(field, tag, model.producer);
      case 7:
        if (model.has_graph) return field.error("expected one graph, got a second one");
        model.has_graph = true;
        return nested(field, tag, model.graph);
      case 8:
        return nested(field, tag, model.opsets);
      case 25:
        return nested(field, tag, model.functions);
      default:
        return field.skip_field(tag.wire);
    }
  });
}

Status MessageReader::read(ByteReader reader, OpsetMessage& opset) {
  return each_field(reader, [&](ByteReader& field, Tag tag) -> Status {
    if (tag.field == 1) return take(field, tag, opset.domain);
    if (tag.field == 2) return take(field, tag, opset.version);
    return field.skip_field(tag.wire);
  });
}

Status MessageReader::read(ByteReader reader, GraphMessage& graph) {
  return each_field(reader, [&](ByteReader& field, Tag tag) -> Status {
    switch (tag.field) {
      case 1:
        return nested(field, tag, graph.nodes);
      case 2:
        return take(field, tag, graph.name);
      case 5:
        return nested(field, tag, graph.initializers);
      case 11:
        return nested(field, tag, graph.inputs);
      case 12:
        return nested(field, tag, graph.outputs);
      case 13:
        return nested(field, tag, graph.values);
      case 15:
        ++graph.sparse_initializers;
        return field.skip_field(tag.wire);
      default:
        return field.skip_field(tag.wire);
    }
  });
}

Status MessageReader::read(ByteReader reader, NodeMessage& node) {
  return each_field(reader, [&](ByteReader& field, Tag tag) -> Status {
    switch (tag.field) {
      case 1:
        return take(field, tag, node.inputs);
      case 2:
        return take(field, tag, node.outputs);
      case 3:
        return take(field, tag, node.name);
      case 4:
        return take(field, tag, node.type);
      case 5:
        return nested(field, tag, node.attributes);
      case 7:
        return take(field, tag, node.domain);
      case 8:
        return take(field, tag, node.overload);
      default:
        return field.skip_field(tag.wire);
    }
  });
}

Status MessageReader::read(ByteReader reader, AttributeMessage& attribute) {
  return each_field(reader, [&](ByteReader& field, Tag tag) -> Status {
    switch (tag.field) {
      case 1:
        return take(field, tag, attribute.name);
      case 2:
        attribute.has_number = true;
        return take(field, tag, attribute.number);
      case 3:
        attribute.has_integer = true;
        return take(field, tag, attribute.integer);
      case 4:
        attribute.has_text = true;
        return take(field, tag, attribute.text);
      case 5:
        return nested(field, tag, attribute.tensors);
      case 6:
        return nested(field, tag, attribute.graphs);
      case 7:
        return take(field, tag, attribute.numbers);
      case 8:
        return take(field, tag, attribute.integers);
      case 9:
        return take(field, tag, attribute.texts);
      case 20:
        return take(field, tag, attribute.declared_kind);
      case 21:
        return take(field, tag, attribute.parameter);
      default:
        return field.skip_field(tag.wire);
    }
  });
}

Status MessageReader::read(ByteReader reader, TensorMessage& tensor) {
  tensor.offset = reader.offset();
  HALFTONE_ASSIGN(tensor.message, ByteReader(reader).bytes(reader.remaining()));
  const auto external_entry = [&](ByteReader& field, Tag tag) -> Status {
    auto& [key, value] = tensor.external_data.emplace_back();
    HALFTONE_TRY(expect_wire(field, tag, Wire::length));
    HALFTONE_ASSIGN(const ByteReader entry, field.message());
    return each_field(entry, [&](ByteReader& part, Tag which) -> Status {
      if (which.field == 1) return take(part, which, key);
      if (which.field == 2) return take(part, which, value);
      return part.skip_field(which.wire);
    });
  };
  return each_field(reader, [&](ByteReader& field, Tag tag) -> Status {
    switch (tag.field) {
      case 1:
        return take(field, tag, tensor.shape);
      case 2:
        return take(field, tag, tensor.type);
      case 8:
        return take(field, tag, tensor.name);
      case 9: {
        std::string_view text;
        HALFTONE_TRY(take(field, tag, text));
        tensor.raw = std::as_bytes(std::span(text.data(), text.size()));
        tensor.has_raw = true;
        return {};
      }
      case 13:
        return external_entry(field, tag);
      case 14: {
        int32_t location = 0;
        HALFTONE_TRY(take(field, tag, location));
        tensor.external = location == 1;
        return {};
      }
      default:
        return field.skip_field(tag.wire);
    }
  });
}

Status MessageReader::read(ByteReader reader, FunctionMessage& function) {
  return each_field(reader, [&](ByteReader& field, Tag tag) -> Status {
    switch (tag.field) {
      case 1:
        return take(field, tag, function.name);
      case 4:
        return take(field, tag, function.inputs);
      case 5:
        return take(field, tag, function.outputs);
      case 6:
        return take(field, tag, function.parameters);
      case 7:
        return nested(field, tag, function.nodes);
      case 9:
        return nested(field, tag, function.opsets);
      case 10:
        return take(field, tag, function.domain);
      case 11:
        return nested(field, tag, function.defaults);
      case 13:
        return take(field, tag, function.overload);
      default:
        return field.skip_field(tag.wire);
    }
  });
}

Status MessageReader::read(ByteReader reader, ValueMessage& value) {
  return each_field(reader, [&](ByteReader& field, Tag tag) -> Status {
    if (tag.field == 1) return take(field, tag, value.name);
    if (tag.field == 2) return nested(field, tag, value.type);
    return field.skip_field(tag.wire);
  });
}

Status MessageReader::read(ByteReader reader, TypeMessage& type) {
  return each_field(reader, [&](ByteReader& field, Tag tag) -> Status {
    switch (tag.field) {
      case 1: {
        type.kind = "tensor";
        HALFTONE_TRY(expect_wire(field, tag, Wire::length));
        HALFTONE_ASSIGN(const ByteReader inner, field.message());
        return read_tensor_type(inner, type);
      }
      case 4:
        type.kind = "sequence";
        return field.skip_field(tag.wire);
      case 5:
        type.kind = "map";
        return field.skip_field(tag.wire);
      case 8:
        type.kind = "sparse tensor";
        return field.skip_field(tag.wire);
      case 9:
        type.kind = "optional";
        return field.skip_field(tag.wire);
      default:
        return field.skip_field(tag.wire);
    }
  });
}

Status MessageReader::read_tensor_type(ByteReader reader, TypeMessage& type) {
  return each_field(reader, [&](ByteReader& field, Tag tag) -> Status {
    if (tag.field == 1) return take(field, tag, type.element);
    if (tag.field != 2) return field.skip_field(tag.wire);
    type.has_shape = true;
    HALFTONE_TRY(expect_wire(field, tag, Wire::length));
    HALFTONE_ASSIGN(const ByteReader shape, field.message());
    return each_field(shape, [&](ByteReader& dimension, Tag which) -> Status {
      if (which.field == 1) return nested(dimension, which, type.shape);
      return dimension.skip_field(which.wire);
    });
  });
}

Status MessageReader::read(ByteReader reader, DimensionMessage& dimension) {
  return each_field(reader, [&](ByteReader& field, Tag tag) -> Status {
    if (tag.field == 1) return take(field, tag, dimension.size);
    if (tag.field == 2) return take(field, tag, dimension.symbol);
    return field.skip_field(tag.wire);
  });
}

}  // namespace

AttributeKind AttributeMessage::kind() const {
  switch (declared_kind) {
    case 1:
      return AttributeKind::number;
    case 2:
      return AttributeKind::integer;
    case 3:
      return AttributeKind::text;
    case 4:
      return AttributeKind::tensor;
    case 5:
      return AttributeKind::graph;
    case 6:
      return AttributeKind::numbers;
    case 7:
      return AttributeKind::integers;
    case 8:
      return AttributeKind::texts;
    case 0:  // files of old writers: the field that is there says it
      if (has_number) return AttributeKind::number;
      if (has_integer) return AttributeKind::integer;
      if (has_text) return AttributeKind::text;
      if (!tensors.empty()) return AttributeKind::tensor;
      if (!graphs.empty()) return AttributeKind::graph;
      if (!numbers.empty()) return AttributeKind::numbers;
      if (!integers.empty()) return AttributeKind::integers;
      if (!texts.empty()) return AttributeKind::texts;
      return AttributeKind::none;
    default:
      return AttributeKind::other;
  }
}

Result<ModelMessage> parse_model(std::span<const std::byte> bytes, std::string_view name) {
  ModelMessage model;
  HALFTONE_TRY(MessageReader().read(ByteReader(bytes, name), model));
  return model;
}

Result<TensorMessage> parse_tensor(std::span<const std::byte> bytes, std::string_view name) {
  TensorMessage tensor;
  HALFTONE_TRY(MessageReader().read(ByteReader(bytes, name), tensor));
  return tensor;
}

Result<TypedNumbers> typed_numbers(const TensorMessage& tensor, std::string_view name, uint64_t limit) {
  TypedNumbers numbers;
  const ByteReader reader(tensor.message, name, tensor.offset);
  HALFTONE_TRY(each_field(reader, [&](ByteReader& field, Tag tag) -> Status {
    switch (tag.field) {
      case 4:
        return take_numbers<float>(field, tag, Wire::fixed32, numbers.floats, limit);
      case 5:
      case 7:
      case 11:
        return take_numbers<uint64_t>(field, tag, Wire::varint, numbers.integers, limit);
      case 6:
        ++numbers.texts;
        return field.skip_field(tag.wire);
      case 10:
        return take_numbers<double>(field, tag, Wire::fixed64, numbers.doubles, limit);
      default:
        return field.skip_field(tag.wire);
    }
  }));
  return numbers;
}

}  // namespace halftone::onnx
