// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "formats/onnx/lowering.h"

namespace halftone::onnx {
namespace {

using namespace network;  // NOLINT(google-build-using-namespace): ops by their own names

// Opset 18 made the axes an input (13 for sums).
template <ReduceKind kind>
Status reduce(Lowering& node) {
  Reduce op{kind};
  op.keep_dims = node.flag("keepdims", true);
  op.keep_empty = node.flag("noop_with_empty_axes");
  ValueId axes = node.in(1);
  if (node.has("axes")) axes = node.integers_value(node.integers("axes"));
  return node.give(op, {node.in(0), axes});
}

template <bool max>
Status arg_reduce(Lowering& node) {
  ArgReduce op{max, node.integer("axis", 0)};
  op.keep_dims = node.flag("keepdims", true);
  op.last = node.flag("select_last_index");
  return node.same(op);
}

template <bool product>
Status cumulate(Lowering& node) {
  Cumulate op{product};
  op.exclusive = node.flag("exclusive");
  op.reverse = node.flag("reverse");
  return node.same(op);
}

template <SoftmaxKind kind>
Status softmax(Lowering& node) {
  const bool flat = node.opset() < 13;
  return node.same(Softmax{kind, node.integer("axis", flat ? 1 : -1), flat});
}

Status top_k(Lowering& node) {
  TopK op{node.integer("axis", -1)};
  op.largest = node.flag("largest", true);
  op.sorted = node.flag("sorted", true);
  if (node.opset() >= 10) return node.same(op);
  node.add(op, {node.in(0), node.integers_value({node.required_integer("k")})}, node.all_out());
  return {};
}

constexpr std::array kAxesRows = std::to_array<OpRow>({
    {"ReduceSum", reduce<ReduceKind::sum>},
    {"ReduceMean", reduce<ReduceKind::mean>},
    {"ReduceMax", reduce<ReduceKind::max>},
    {"ReduceMin", reduce<ReduceKind::min>},
    {"ReduceProd", reduce<ReduceKind::product>},
    {"ReduceL1", reduce<ReduceKind::l1>},
    {"ReduceL2", reduce<ReduceKind::l2>},
    {"ReduceSumSquare", reduce<ReduceKind::sum_square>},
    {"ReduceLogSum", reduce<ReduceKind::log_sum>},
    {"ReduceLogSumExp", reduce<ReduceKind::log_sum_exp>},
    {"ArgMax", arg_reduce<true>},
    {"ArgMin", arg_reduce<false>},
    {"CumSum", cumulate<false>},
    {"CumProd", cumulate<true>},
    {"Softmax", softmax<SoftmaxKind::soft>},
    {"LogSoftmax", softmax<SoftmaxKind::log>},
    {"Hardmax", softmax<SoftmaxKind::hard>},
    {"TopK", top_k},
});

}  // namespace

std::span<const OpRow> axes_rows() { return kAxesRows; }

}  // namespace halftone::onnx
