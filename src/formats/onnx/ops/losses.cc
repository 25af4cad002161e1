// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "formats/onnx/lowering.h"

namespace halftone::onnx {
namespace {

using namespace network;  // NOLINT(google-build-using-namespace): ops by their own names

// The negative of every label's entry of `log_probabilities` (n, classes, ...), weighted by class; labels that are
// ignored count nothing.
Status pick_losses(Lowering& node, ValueId log_probabilities) {
  constexpr std::string_view kReductions[] = {"none", "mean", "sum"};
  enum class Reduction { none, mean, sum };
  const DType type = node.type_of(node.in(0)).value_or(DType::f32);
  const DType label_type = node.type_of(node.in(1)).value_or(DType::i64);
  const auto reduction = node.choice("reduction", kReductions, Reduction::mean);
  ValueId labels = node.in(1), ignored = kNoValue;
  const ValueId nothing = node.scalar(0, type), channel = node.integers_value({1});
  if (node.has("ignore_index")) {
    const auto index = static_cast<double>(node.integer("ignore_index", 0));
    ignored = node.make(Binary{BinaryKind::equal}, {labels, node.scalar(index, label_type)});
    labels = node.make(Where{}, {ignored, node.scalar(0, label_type), labels});
  }
  const ValueId column = node.make(Unsqueeze{}, {labels, channel});
  const ValueId picked = node.make(GatherElements{1}, {log_probabilities, column});
  ValueId loss = node.make(Unary{UnaryKind::negate}, {node.make(Squeeze{}, {picked, channel})});
  ValueId weights = node.in(2) == kNoValue ? kNoValue : node.make(Gather{0}, {node.in(2), labels});
  if (weights != kNoValue) loss = node.make(Binary{BinaryKind::multiply}, {loss, weights});
  if (ignored != kNoValue) {
    weights = node.make(Where{}, {ignored, nothing, weights == kNoValue ? node.scalar(1, type) : weights});
    loss = node.make(Where{}, {ignored, nothing, loss});
  }
  Reduce all{ReduceKind::sum};
  all.keep_dims = false;
  if (reduction == Reduction::none) return node.give(Identity{}, {loss});
  if (reduction == Reduction::sum) return node.give(all, {loss});
  if (weights != kNoValue)
    return node.give(Binary{BinaryKind::divide}, {node.make(all, {loss}), node.make(all, {weights})});
  all.kind = ReduceKind::mean;
  return node.give(all, {loss});
}

Status softmax_cross_entropy(Lowering& node) {
  const ValueId scores =
      node.out(1) == kNoValue ? node.draft().add_value(std::string(node.type()) + "/log") : node.out(1);
  node.add(Softmax{SoftmaxKind::log, 1}, {node.in(0)}, {scores});
  return pick_losses(node, scores);
}

constexpr std::array kLossRows = std::to_array<OpRow>({
    {"NegativeLogLikelihoodLoss", [](Lowering& node) { return pick_losses(node, node.in(0)); }},
    {"SoftmaxCrossEntropyLoss", softmax_cross_entropy},
});

}  // namespace

std::span<const OpRow> loss_rows() { return kLossRows; }

}  // namespace halftone::onnx
