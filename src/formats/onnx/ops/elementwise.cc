// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "formats/onnx/lowering.h"

namespace halftone::onnx {
namespace {

using namespace network;  // NOLINT(google-build-using-namespace): ops by their own names

template <UnaryKind kind>
Status unary(Lowering& node) {
  return node.same(Unary{kind});
}

// Kinds with parameters: up to three attributes, in the order alpha, beta, gamma.
struct Parameter {
  std::string_view name;
  float otherwise;
};
Status unary_with(Lowering& node, UnaryKind kind, std::initializer_list<Parameter> parameters) {
  Unary op{kind};
  float* slot[] = {&op.alpha, &op.beta, &op.gamma};
  size_t i = 0;
  for (const Parameter& parameter : parameters) *slot[i++] = node.number(parameter.name, parameter.otherwise);
  return node.give(op, {node.in(0)});
}

Status gelu(Lowering& node) {
  constexpr std::string_view kNames[] = {"none", "tanh"};
  const bool tanh = node.choice("approximate", kNames, false);
  return node.same(Unary{tanh ? UnaryKind::gelu_tanh : UnaryKind::gelu});
}

Status is_inf(Lowering& node) {
  Unary op{UnaryKind::is_inf};
  op.alpha = node.flag("detect_negative", true) ? 1 : 0;
  op.beta = node.flag("detect_positive", true) ? 1 : 0;
  return node.same(op);
}

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
  if (is_float(base))
    return node.give(Binary{BinaryKind::power}, {node.in(0), node.make(Cast{base}, {node.in(1)})});
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

Status clip(Lowering& node) {
  if (node.opset() >= 11) return node.same(Clip{});
  const DType type = node.type_of(node.in(0)).value_or(DType::f32);
  const auto bound = [&](std::string_view name) {
    return node.has(name) ? node.scalar(node.number(name, 0), type) : kNoValue;
  };
  const ValueId least = bound("min"), most = bound("max");
  return node.give(Clip{}, {node.in(0), least, most});
}

// Narrow integers keep their low bits: ((x & mask) ^ sign) - sign.
Status cast_to(Lowering& node, const ElementType& to) {
  if (!to.narrow()) return node.give(Cast{to.type}, {node.in(0)});
  const auto scalar = [&](int64_t value) { return node.scalar(static_cast<double>(value), to.type); };
  ValueId low = node.make(Cast{to.type}, {node.in(0)});
  low = node.make(Binary{BinaryKind::bitwise_and}, {low, scalar((1 << to.bits) - 1)});
  node.draft().narrow.emplace(node.out(0), to);
  if (to.least == 0) return node.give(Identity{}, {low});
  low = node.make(Binary{BinaryKind::bitwise_xor}, {low, scalar(-to.least)});
  return node.give(Binary{BinaryKind::subtract}, {low, scalar(-to.least)});
}

Status cast(Lowering& node) {
  node.ignore("saturate");  // of 8-bit floats, which are refused
  node.ignore("round_mode");
  const auto to = node.element("to");
  if (!node.has("to")) return invalid_input("attribute to: expected a type, got none");
  return to ? cast_to(node, *to) : Status();
}

Status cast_like(Lowering& node) {
  node.ignore("saturate");
  node.ignore("round_mode");
  const auto narrow = node.draft().narrow.find(node.in(1));
  if (narrow != node.draft().narrow.end()) return cast_to(node, narrow->second);
  const auto type = node.type_of(node.in(1));
  if (!type) return unsupported("a type that is known only when it runs");
  return node.give(Cast{*type}, {node.in(0)});
}

constexpr std::array kElementwiseRows = std::to_array<OpRow>({
    {"Abs", unary<UnaryKind::abs>},
    {"Neg", unary<UnaryKind::negate>},
    {"Sign", unary<UnaryKind::sign>},
    {"Reciprocal", unary<UnaryKind::reciprocal>},
    {"Floor", unary<UnaryKind::floor>},
    {"Ceil", unary<UnaryKind::ceil>},
    {"Round", unary<UnaryKind::round_even>},
    {"Sqrt", unary<UnaryKind::sqrt>},
    {"Exp", unary<UnaryKind::exp>},
    {"Log", unary<UnaryKind::log>},
    {"Sin", unary<UnaryKind::sin>},
    {"Cos", unary<UnaryKind::cos>},
    {"Tan", unary<UnaryKind::tan>},
    {"Asin", unary<UnaryKind::asin>},
    {"Acos", unary<UnaryKind::acos>},
    {"Atan", unary<UnaryKind::atan>},
    {"Sinh", unary<UnaryKind::sinh>},
    {"Cosh", unary<UnaryKind::cosh>},
    {"Tanh", unary<UnaryKind::tanh>},
    {"Asinh", unary<UnaryKind::asinh>},
    {"Acosh", unary<UnaryKind::acosh>},
    {"Atanh", unary<UnaryKind::atanh>},
    {"Erf", unary<UnaryKind::erf>},
    {"IsNaN", unary<UnaryKind::is_nan>},
    {"IsInf", is_inf},
    {"Not", unary<UnaryKind::logical_not>},
    {"BitwiseNot", unary<UnaryKind::bitwise_not>},
    {"Relu", unary<UnaryKind::relu>},
    {"Sigmoid", unary<UnaryKind::sigmoid>},
    {"HardSwish", unary<UnaryKind::hard_swish>},
    {"Softplus", unary<UnaryKind::softplus>},
    {"Softsign", unary<UnaryKind::softsign>},
    {"Mish", unary<UnaryKind::mish>},
    {"Gelu", gelu},
    {"LeakyRelu", [](Lowering& node) { return unary_with(node, UnaryKind::leaky_relu, {{"alpha", 0.01F}}); }},
    {"Elu", [](Lowering& node) { return unary_with(node, UnaryKind::elu, {{"alpha", 1}}); }},
    {"Celu", [](Lowering& node) { return unary_with(node, UnaryKind::celu, {{"alpha", 1}}); }},
    {"Selu",
     [](Lowering& node) {
       Unary op{UnaryKind::selu};
       op.alpha = node.number("alpha", 1.67326319217681884765625F);
       op.gamma = node.number("gamma", 1.05070102214813232421875F);
       return node.same(op);
     }},
    {"HardSigmoid",
     [](Lowering& node) { return unary_with(node, UnaryKind::hard_sigmoid, {{"alpha", 0.2F}, {"beta", 0.5F}}); }},
    {"Swish", [](Lowering& node) { return unary_with(node, UnaryKind::swish, {{"alpha", 1}}); }},
    {"ThresholdedRelu", [](Lowering& node) { return unary_with(node, UnaryKind::thresholded_relu, {{"alpha", 1}}); }},
    {"Shrink", [](Lowering& node) { return unary_with(node, UnaryKind::shrink, {{"lambd", 0.5F}, {"bias", 0}}); }},
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
    {"Where", [](Lowering& node) { return node.same(Where{}); }},
    {"Clip", clip},
    {"Cast", cast},
    {"CastLike", cast_like},
});

}  // namespace

std::span<const OpRow> elementwise_rows() { return kElementwiseRows; }

}  // namespace halftone::onnx
