// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/tflite/importer.h"

namespace halftone::tflite {
namespace {

using network::BinaryKind;
using network::UnaryKind;
using network::ValueId;

template <UnaryKind kKind>
Status unary(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  return at.give(0, at.add(network::Unary{kKind}, {at.input(0)}));
}

template <BinaryKind kKind>
Status binary(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  return at.give(0, at.add(network::Binary{kKind}, {at.input(0), at.input(1)}));
}

// ADD, SUB, MUL, DIV: with an activation.
template <BinaryKind kKind>
Status arithmetic(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  return at.give_activated(at.add(network::Binary{kKind}, {at.input(0), at.input(1)}), 0);
}

template <int kLeast, int kMost>
Status clip(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  return at.give(0, at.add(network::Clip{}, {at.input(0), at.scalar(kLeast), at.scalar(kMost)}));
}

Status leaky_relu(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  return at.give(0, at.add(network::Unary{UnaryKind::leaky_relu, at.options().scalar<float>(0, 0)}, {at.input(0)}));
}

Status elu(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  return at.give(0, at.add(network::Unary{UnaryKind::elu, 1}, {at.input(0)}));
}

Status gelu(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  const bool approximate = at.options().scalar<uint8_t>(0, 0) != 0;
  return at.give(0, at.add(network::Unary{approximate ? UnaryKind::gelu_tanh : UnaryKind::gelu}, {at.input(0)}));
}

// Quantization lies between operators here, so both only pass numbers on; 16-bit floats are widened.
Status pass_on(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  const bool half =
      at.input_info(0).element == Element::f16 && at.output_count() > 0 && at.output_info(0).element == Element::f32;
  return at.give(0, half ? at.add(network::Cast{DType::f32}, {at.input(0)}) : at.input(0));
}

Status cast(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  if (at.output_count() == 0) return at.give(0, 0);
  const auto type = dtype_of(at.output_info(0).element);
  if (!type) return at.refuse(StatusCode::unsupported, "expected a type of numbers to cast to");
  return at.give(0, at.add(network::Cast{*type}, {at.input(0)}));
}

Status select(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(3, 3));
  return at.give(0, at.add(network::Where{}, {at.input(0), at.input(1), at.input(2)}));
}

Status add_n(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, SIZE_MAX));
  ValueId sum = at.input(0);
  for (size_t i = 1; i < at.input_count(); ++i) sum = at.add(network::Binary{BinaryKind::add}, {sum, at.input(i)});
  return at.give(0, sum);
}

Status zeros_like(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  return at.give(0, at.add(network::Binary{BinaryKind::subtract}, {at.input(0), at.input(0)}));
}

constexpr RuleRow kElementwise[] = {
    {"ADD", arithmetic<BinaryKind::add>},
    {"SUB", arithmetic<BinaryKind::subtract>},
    {"MUL", arithmetic<BinaryKind::multiply>},
    {"DIV", arithmetic<BinaryKind::divide>},
    {"MAXIMUM", binary<BinaryKind::maximum>},
    {"MINIMUM", binary<BinaryKind::minimum>},
    {"POW", binary<BinaryKind::power>},
    {"FLOOR_DIV", binary<BinaryKind::floor_divide>},
    {"FLOOR_MOD", binary<BinaryKind::modulo>},
    {"SQUARED_DIFFERENCE", binary<BinaryKind::squared_difference>},
    {"PRELU", binary<BinaryKind::prelu>},
    {"LESS", binary<BinaryKind::less>},
    {"LESS_EQUAL", binary<BinaryKind::less_equal>},
    {"GREATER", binary<BinaryKind::greater>},
    {"GREATER_EQUAL", binary<BinaryKind::greater_equal>},
    {"EQUAL", binary<BinaryKind::equal>},
    {"NOT_EQUAL", binary<BinaryKind::not_equal>},
    {"LOGICAL_AND", binary<BinaryKind::logical_and>},
    {"LOGICAL_OR", binary<BinaryKind::logical_or>},
    {"LOGICAL_NOT", unary<UnaryKind::logical_not>},
    {"RELU", unary<UnaryKind::relu>},
    {"RELU6", clip<0, 6>},
    {"RELU_N1_TO_1", clip<-1, 1>},
    {"RELU_0_TO_1", clip<0, 1>},
    {"LOGISTIC", unary<UnaryKind::sigmoid>},
    {"TANH", unary<UnaryKind::tanh>},
    {"HARD_SWISH", unary<UnaryKind::hard_swish>},
    {"LEAKY_RELU", leaky_relu},
    {"ELU", elu},
    {"GELU", gelu},
    {"ABS", unary<UnaryKind::abs>},
    {"NEG", unary<UnaryKind::negate>},
    {"SIGN", unary<UnaryKind::sign>},
    {"EXP", unary<UnaryKind::exp>},
    {"LOG", unary<UnaryKind::log>},
    {"SIN", unary<UnaryKind::sin>},
    {"COS", unary<UnaryKind::cos>},
    {"SQRT", unary<UnaryKind::sqrt>},
    {"RSQRT", unary<UnaryKind::rsqrt>},
    {"SQUARE", unary<UnaryKind::square>},
    {"FLOOR", unary<UnaryKind::floor>},
    {"CEIL", unary<UnaryKind::ceil>},
    {"ROUND", unary<UnaryKind::round_even>},
    {"QUANTIZE", pass_on},
    {"DEQUANTIZE", pass_on},
    {"CAST", cast},
    {"SELECT", select},
    {"SELECT_V2", select},
    {"ADD_N", add_n},
    {"ZEROS_LIKE", zeros_like},
};

}  // namespace

std::span<const RuleRow> elementwise_rules() { return kElementwise; }

}  // namespace halftone::tflite
