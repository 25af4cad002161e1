// SPDX-License-Identifier: Apache-2.0
// softmax(scale * q k' + mask) v over (batch, heads, length, size) as one op.
#include "graph/network/passes/rewriter.h"

namespace halftone::network {
namespace {

struct Scores {
  ValueId q = kNoValue, k = kNoValue, mask = kNoValue;
  std::vector<int64_t> key_order;  // how the keys were transposed: four axes, so the rank is known
  double scale = 1;
};

// scale * q k'
bool match_product(const Rewriter& rewriter, ValueId id, Scores& scores) {
  const Factors factors = factors_of(rewriter, id);
  if (factors.others.size() != 1) return false;
  scores.scale = factors.scalar;
  const MatMul* product = rewriter.made_by<MatMul>(factors.others[0]);
  if (product == nullptr || product->transpose_a || product->transpose_b || !(factors.scalar > 0)) return false;
  const Node* node = rewriter.writer(factors.others[0]);
  const Transpose* transposed = rewriter.made_by<Transpose>(node->inputs[1]);
  if (transposed == nullptr || transposed->order.size() != 4) return false;
  scores.q = node->inputs[0];
  scores.k = rewriter.writer(node->inputs[1])->inputs[0];
  scores.key_order = transposed->order;
  return true;
}

bool match_scores(const Rewriter& rewriter, ValueId id, Scores& scores) {
  if (match_product(rewriter, id, scores)) return true;
  const Binary* sum = rewriter.made_by<Binary>(id);
  if (sum == nullptr || sum->kind != BinaryKind::add) return false;
  const auto& inputs = rewriter.writer(id)->inputs;
  for (const size_t i : {0u, 1u})
    if (rewriter.type_of(inputs[1 - i]) == DType::f32 && match_product(rewriter, inputs[i], scores)) {
      scores.mask = inputs[1 - i];
      return true;
    }
  return false;
}

}  // namespace

int fuse_attention(Rewriter& rewriter) {
  int fused = 0;
  const size_t count = rewriter.network.nodes.size();
  for (size_t i = 0; i < count; ++i) {
    const Node node = rewriter.network.nodes[i];
    const MatMul* product = std::get_if<MatMul>(&node.op);
    if (product == nullptr || product->transpose_a || product->transpose_b ||
        rewriter.type_of(node.outputs[0]) != DType::f32)
      continue;
    const Softmax* softmax = rewriter.made_by<Softmax>(node.inputs[0]);
    if (softmax == nullptr || softmax->kind != SoftmaxKind::soft || softmax->flat ||
        (softmax->axis != -1 && softmax->axis != 3))
      continue;
    Scores scores;
    if (!match_scores(rewriter, rewriter.writer(node.inputs[0])->inputs[0], scores)) continue;
    std::vector<int64_t> order = scores.key_order;
    std::swap(order[2], order[3]);
    ValueId keys = scores.k;
    if (order != std::vector<int64_t>{0, 1, 2, 3}) {
      keys = rewriter.add_value(node.name);
      rewriter.add_node(Transpose{order}, node.name, {scores.k}, keys);
    }
    Attention attention;
    attention.scale = static_cast<float>(scores.scale);
    std::vector<ValueId> inputs = {scores.q, keys, node.inputs[1]};
    if (scores.mask != kNoValue) inputs.push_back(scores.mask);
    rewriter.replace(node.outputs[0], attention, std::move(inputs));
    ++fused;
  }
  return fused;
}

}  // namespace halftone::network
