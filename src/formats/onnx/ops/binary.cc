// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "formats/onnx/lowering.h"

namespace halftone::onnx {
namespace {

using namespace network;  // NOLINT(google-build-using-namespace): ops by their own names

template <BinaryKind kind>
Status binary(Lowering& node) {
  return node.same(Binary{kind});
}

Status modulo(Lowering& node) {
  return node.same(Binary{node.flag("fmod") ? BinaryKind::remainder : BinaryKind::modulo});
}

Status shift(Lowering& node) {
  constexpr std::string_view kNames[] = {"LEFT", "RIGHT"};
  const bool right = node.choice("direction", kNames, false);
  return node.same(Binary{right ? BinaryKind::shift_right : BinaryKind::shift_left});
}

bool is_float(DType type) {
  return type == DType::f64 || type == DType::f32 || type == DType::f16 || type == DType::bf16;
}

// The exponent may be of another type: floats take it as theirs, integers compute in doubles.
Status power(Lowering& node) {
  const DType base = node.type_of(node.in(0)).value_or(DType::f32);
  const DType exponent = node.type_of(node.in(1)).value_or(base);
  if (base == exponent) return node.same(Binary{BinaryKind::power});
  if (is_float(base)) return node.give(Binary{BinaryKind::power}, {node.in(0), node.make(Cast{base}, {node.in(1)})});
  const ValueId wide = node.make(Binary{BinaryKind::power}, {node.make(Cast{DType::f64}, {node.in(0)}),
                                                             node.make(Cast{DType::f64}, {node.in(1)})});
  return node.give(Cast{base}, {wide});
}

// a, b, c, ...: one after the other.
ValueId fold(Lowering& node, BinaryKind kind) {
  ValueId sum = node.in(0);
  for (size_t i = 1; i < node.inputs(); ++i) sum = node.make(Binary{kind}, {sum, node.in(i)});
  return sum;
}

template <BinaryKind kind>
Status many(Lowering& node) {
  if (node.inputs() == 2) return node.same(Binary{kind});
  return node.give(Identity{}, {fold(node, kind)});
}

Status mean(Lowering& node) {
  const DType type = node.type_of(node.in(0)).value_or(DType::f32);
  const ValueId sum = fold(node, BinaryKind::add);
  return node.give(Binary{BinaryKind::divide}, {sum, node.scalar(static_cast<double>(node.inputs()), type)});
}

constexpr std::array kBinaryRows = std::to_array<OpRow>({
    {"Add", binary<BinaryKind::add>},
    {"Sub", binary<BinaryKind::subtract>},
    {"Mul", binary<BinaryKind::multiply>},
    {"Div", binary<BinaryKind::divide>},
    {"Mod", modulo},
    {"Pow", power},
    {"PRelu", binary<BinaryKind::prelu>},
    {"And", binary<BinaryKind::logical_and>},
    {"Or", binary<BinaryKind::logical_or>},
    {"Xor", binary<BinaryKind::logical_xor>},
    {"BitwiseAnd", binary<BinaryKind::bitwise_and>},
    {"BitwiseOr", binary<BinaryKind::bitwise_or>},
    {"BitwiseXor", binary<BinaryKind::bitwise_xor>},
    {"BitShift", shift},
    {"Equal", binary<BinaryKind::equal>},
    {"Less", binary<BinaryKind::less>},
    {"LessOrEqual", binary<BinaryKind::less_equal>},
    {"Greater", binary<BinaryKind::greater>},
    {"GreaterOrEqual", binary<BinaryKind::greater_equal>},
    {"Min", many<BinaryKind::minimum>},
    {"Max", many<BinaryKind::maximum>},
    {"Sum", many<BinaryKind::add>},
    {"Mean", mean},
});

}  // namespace

std::span<const OpRow> binary_rows() { return kBinaryRows; }

}  // namespace halftone::onnx
