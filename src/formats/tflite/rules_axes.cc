// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/tflite/importer.h"

namespace halftone::tflite {
namespace {

using network::ReduceKind;
using network::ValueId;

template <ReduceKind kKind>
Status reduce(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  const bool keep_dims = at.options().scalar<uint8_t>(0, 0) != 0;
  return at.give(0, at.add(network::Reduce{kKind, keep_dims, true}, {at.input(0), at.indices(1)}));
}

Result<int64_t> single_axis(Importer& at, size_t input) {
  HALFTONE_ASSIGN(const std::vector<int64_t> axis, at.constant_indices(input, "axis"));
  if (axis.size() != 1)
    return at.refuse(StatusCode::invalid_input, fmt::format("axis: expected one number, got {}", axis.size()));
  return axis[0];
}

template <bool kMax>
Status arg_reduce(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  HALFTONE_ASSIGN(const int64_t axis, single_axis(at, 1));
  const ValueId found = at.add(network::ArgReduce{kMax, axis, false, false}, {at.input(0)});
  const bool wide = at.output_count() > 0 && at.output_info(0).element == Element::i64;
  return at.give(0, wide ? found : at.add(network::Cast{DType::i32}, {found}));
}

Status softmax(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  const auto beta = at.options().scalar<float>(0, 0);
  ValueId x = at.input(0);
  if (beta != 1) x = at.add(network::Binary{network::BinaryKind::multiply}, {x, at.scalar(beta)});
  return at.give(0, at.add(network::Softmax{network::SoftmaxKind::soft, -1}, {x}));
}

Status log_softmax(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  return at.give(0, at.add(network::Softmax{network::SoftmaxKind::log, -1}, {at.input(0)}));
}

Status l2_normalization(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  return at.give_activated(at.add(network::LpNorm{-1, 2}, {at.input(0)}), 0);
}

// Ours is over the second axis and divides alpha by the size of the window.
Status local_response_norm(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  const auto radius = at.options().scalar<int32_t>(0, 0);
  if (radius < 0 || radius > 1 << 20)
    return at.refuse(StatusCode::invalid_input, fmt::format("expected a radius from 0 to 2^20, got {}", radius));
  const int64_t size = 2 * int64_t{radius} + 1;
  const network::LocalResponseNorm op{at.options().scalar<float>(2, 0) * static_cast<float>(size),
                                      at.options().scalar<float>(3, 0), at.options().scalar<float>(1, 0), size};
  const ValueId x = at.add(network::Transpose{{0, 3, 1, 2}}, {at.input(0)});
  return at.give(0, at.add(network::Transpose{{0, 2, 3, 1}}, {at.add(op, {x})}));
}

Status top_k(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  const ValueId k = at.add(network::Reshape{true}, {at.indices(1), at.constant({1})});
  const std::vector<ValueId> found = at.add(network::TopK{-1}, {at.input(0), k}, 2);
  HALFTONE_TRY(at.give(0, found[0]));
  return at.give(1, at.add(network::Cast{DType::i32}, {found[1]}));
}

Status cumulate(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  const network::Cumulate op{false, at.options().scalar<uint8_t>(0, 0) != 0, at.options().scalar<uint8_t>(1, 0) != 0};
  return at.give(0, at.add(op, {at.input(0), at.indices(1)}));
}

constexpr RuleRow kAxes[] = {
    {"MEAN", reduce<ReduceKind::mean>},
    {"SUM", reduce<ReduceKind::sum>},
    {"REDUCE_MAX", reduce<ReduceKind::max>},
    {"REDUCE_MIN", reduce<ReduceKind::min>},
    {"REDUCE_PROD", reduce<ReduceKind::product>},
    {"REDUCE_ANY", reduce<ReduceKind::any>},
    {"REDUCE_ALL", reduce<ReduceKind::all>},
    {"ARG_MAX", arg_reduce<true>},
    {"ARG_MIN", arg_reduce<false>},
    {"SOFTMAX", softmax},
    {"LOG_SOFTMAX", log_softmax},
    {"L2_NORMALIZATION", l2_normalization},
    {"LOCAL_RESPONSE_NORMALIZATION", local_response_norm},
    {"TOPK_V2", top_k},
    {"CUMSUM", cumulate},
};

}  // namespace

std::span<const RuleRow> axis_rules() { return kAxes; }

}  // namespace halftone::tflite
