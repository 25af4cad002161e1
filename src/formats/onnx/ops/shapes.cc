// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "formats/onnx/lowering.h"

namespace halftone::onnx {
namespace {

using namespace network;  // NOLINT(google-build-using-namespace): ops by their own names

Status constant_of_shape(Lowering& node) {
  if (!node.has("value")) return node.give(ConstantOfShape{}, {node.in(0), node.scalar(0, DType::f32)});
  HALFTONE_ASSIGN(Tensor value, node.tensor("value"));
  if (value.elements() != 1) return invalid_input("attribute value: expected one number, got {}", value.elements());
  return node.give(ConstantOfShape{}, {node.in(0), node.constant_value(value.reshaped({}))});
}

Status eye_like(Lowering& node) {
  EyeLike op{node.type_of(node.in(0)).value_or(DType::f32)};
  if (const auto type = node.element("dtype")) op.type = type->type;
  op.k = node.integer("k", 0);
  return node.same(op);
}

Status shape(Lowering& node) {
  ShapeOf op;
  op.start = node.integer("start", 0);
  op.end = node.integer("end", INT64_MAX);
  return node.same(op);
}

constexpr std::array kShapeRows = std::to_array<OpRow>({
    {"Shape", shape},
    {"Size", [](Lowering& node) { return node.same(SizeOf{}); }},
    {"ConstantOfShape", constant_of_shape},
    {"Range", [](Lowering& node) { return node.same(Range{}); }},
    {"OneHot", [](Lowering& node) { return node.same(OneHot{node.integer("axis", -1)}); }},
    {"NonZero", [](Lowering& node) { return node.same(NonZero{}); }},
    {"EyeLike", eye_like},
    {"NonMaxSuppression",
     [](Lowering& node) { return node.same(NonMaxSuppression{node.integer("center_point_box", 0) == 1}); }},
});

}  // namespace

std::span<const OpRow> shape_rows() { return kShapeRows; }

}  // namespace halftone::onnx
