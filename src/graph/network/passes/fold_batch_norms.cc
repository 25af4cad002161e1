// SPDX-License-Identifier: Apache-2.0
// A batch norm behind a convolution or Gemm with constant weights is part of the weights.
#include <array>
#include <cmath>

#include "graph/network/passes/rewriter.h"

namespace halftone::network {
namespace {

// y = factor * x + shift, per channel.
struct Affine {
  std::vector<double> factor, shift;
};

std::optional<Affine> affine_of(const Rewriter& rewriter, const Node& node) {
  std::array<std::span<const float>, 4> numbers;  // scale, bias, mean, variance
  for (size_t i = 0; i < 4; ++i) {
    const Tensor* tensor = i + 1 < node.inputs.size() ? rewriter.floats(node.inputs[i + 1]) : nullptr;
    if (tensor == nullptr) return {};
    numbers[i] = tensor->values<float>();
    if (numbers[i].size() != numbers[0].size()) return {};
  }
  const auto epsilon = static_cast<double>(std::get<BatchNorm>(node.op).epsilon);
  Affine affine;
  for (size_t c = 0; c < numbers[0].size(); ++c) {
    const double factor = static_cast<double>(numbers[0][c]) / std::sqrt(static_cast<double>(numbers[3][c]) + epsilon);
    if (!std::isfinite(factor)) return {};
    affine.factor.push_back(factor);
    affine.shift.push_back(static_cast<double>(numbers[1][c]) - factor * static_cast<double>(numbers[2][c]));
  }
  return affine;
}

// Every number times the factor of its channel, which is the position along `axis`.
Tensor scaled(const Tensor& weight, const std::vector<double>& factor, size_t axis) {
  Result<Tensor> made = Tensor::make(DType::f32, weight.shape());
  HALFTONE_CHECK(made.ok());
  size_t inner = 1;
  for (size_t i = axis + 1; i < weight.shape().size(); ++i) inner *= static_cast<size_t>(weight.shape()[i]);
  const auto from = weight.values<float>();
  const auto to = made->mutable_values<float>();
  for (size_t i = 0; i < from.size(); ++i)
    to[i] = static_cast<float>(static_cast<double>(from[i]) * factor[i / inner % factor.size()]);
  return *std::move(made);
}

// The axis of the outputs in the weight, or nothing when the node is none that this pass knows.
std::optional<size_t> output_axis(const Node& node, ImageOrder order) {
  if (const Conv* conv = std::get_if<Conv>(&node.op))
    return conv->window.order == order ? std::optional<size_t>(0) : std::nullopt;
  const Gemm* gemm = std::get_if<Gemm>(&node.op);
  if (gemm == nullptr || gemm->alpha != 1 || (gemm->beta != 1 && node.inputs.size() > 2)) return {};
  return gemm->transpose_b ? 0 : 1;
}

bool fold(Rewriter& rewriter, const Node& norm) {
  const Node* found = rewriter.writer(norm.inputs[0]);
  if (found == nullptr || rewriter.readers(norm.inputs[0]) != 1 || found->inputs.size() < 2) return false;
  const Node node = *found;
  const auto axis = output_axis(node, std::get<BatchNorm>(norm.op).order);
  const auto affine = axis ? affine_of(rewriter, norm) : std::nullopt;
  const Tensor* weight = rewriter.floats(node.inputs[1]);
  if (!affine || weight == nullptr || weight->rank() <= static_cast<int64_t>(*axis)) return false;
  const auto channels = static_cast<int64_t>(affine->factor.size());
  if (weight->shape()[*axis] != channels) return false;
  std::vector<float> bias(affine->shift.size());
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
  const Tensor* before = has_bias ? rewriter.floats(node.inputs[2]) : nullptr;
  if (has_bias && (before == nullptr || before->shape() != Shape{channels})) return false;
  for (size_t c = 0; c < bias.size(); ++c) {
    const double old = has_bias ? static_cast<double>(before->values<float>()[c]) : 0.0;
    bias[c] = static_cast<float>(old * affine->factor[c] + affine->shift[c]);
  }
  const ValueId weights =
      rewriter.add_constant(rewriter.network.name_of(node.inputs[1]), scaled(*weight, affine->factor, *axis));
  const ValueId biases = rewriter.add_constant(node.name + "/bias",
                                               Tensor::of<float>(DType::f32, {channels}, std::span<const float>(bias)));
  rewriter.replace(norm.outputs[0], node.op, {node.inputs[0], weights, biases});
  return true;
}

}  // namespace

int fold_batch_norms(Rewriter& rewriter) {
  int folded = 0;
  for (size_t i = 0; i < rewriter.network.nodes.size(); ++i) {
    const Node node = rewriter.network.nodes[i];
    if (std::holds_alternative<BatchNorm>(node.op)) folded += fold(rewriter, node) ? 1 : 0;
  }
  return folded;
}

}  // namespace halftone::network
