// SPDX-License-Identifier: Apache-2.0
// Attention, positions and recurrent cells, and the fused operators that exporters of transformers write.
#include <array>

#include "formats/onnx/lowering.h"

namespace halftone::onnx {
namespace {

using namespace network;  // NOLINT(google-build-using-namespace): ops by their own names

constexpr std::string_view kMicrosoftFused = "com.microsoft";

Status attention(Lowering& node) {
  node.ignore("softmax_precision");  // we compute in no less than it names
  Attention op;
  op.heads = node.integer("q_num_heads", 0);
  op.kv_heads = node.integer("kv_num_heads", 0);
  op.scale = node.number("scale", 0);
  op.soft_cap = node.number("softcap", 0);
  op.causal = node.flag("is_causal");
  op.scores_stage = node.integer("qk_matmul_output_mode", 0);
  return node.same(op);
}

Status rotary_embedding(Lowering& node) {
  RotaryEmbedding op;
  op.heads = node.integer("num_heads", 0);
  op.rotary = node.integer("rotary_embedding_dim", 0);
  op.interleaved = node.flag("interleaved");
  return node.same(op);
}

// ---- recurrent cells

constexpr std::pair<std::string_view, UnaryKind> kActivations[] = {
    {"Sigmoid", UnaryKind::sigmoid},         {"Tanh", UnaryKind::tanh},
    {"Relu", UnaryKind::relu},               {"LeakyRelu", UnaryKind::leaky_relu},
    {"Elu", UnaryKind::elu},                 {"HardSigmoid", UnaryKind::hard_sigmoid},
    {"Softsign", UnaryKind::softsign},       {"Softplus", UnaryKind::softplus},
    {"ThresholdedRelu", UnaryKind::thresholded_relu}};

template <CellKind kind>
Status recurrent(Lowering& node) {
  constexpr std::string_view kDirections[] = {"forward", "reverse", "bidirectional"};
  Recurrent op{};
  op.kind = kind;
  op.direction = node.choice("direction", kDirections, Direction::forward);
  op.hidden = node.integer("hidden_size", 0);
  if (const Tensor* weights = node.constant(node.in(2)); op.hidden == 0 && weights != nullptr && weights->rank() == 3)
    op.hidden = weights->dim(2);
  if (op.hidden == 0) return unsupported("no hidden_size");
  for (const std::string_view name : node.texts("activations")) {
    const auto found = std::ranges::find(kActivations, name, [](const auto& row) { return row.first; });
    if (found == std::end(kActivations)) return unsupported("the activation {}", name);
    op.activations.push_back(found->second);
  }
  op.alphas = node.numbers("activation_alpha");
  op.betas = node.numbers("activation_beta");
  op.clip = node.number("clip", 0);
  op.batch_first = node.flag("layout");
  if (kind == CellKind::lstm) op.input_forget = node.flag("input_forget");
  if (kind == CellKind::gru) op.linear_before_reset = node.flag("linear_before_reset");
  return node.same(std::move(op));
}

// ---- fused operators

Status gelu_of_sum(Lowering& node, UnaryKind kind) {
  if (node.in(1) == kNoValue) return node.give(Unary{kind}, {node.in(0)});
  return node.give(Unary{kind}, {node.make(Binary{BinaryKind::add}, {node.in(0), node.in(1)})});
}

// The sum of input, skip and bias, normalised; the fourth output is the sum.
template <bool simplified>
Status skip_norm(Lowering& node) {
  const ValueId bias = node.in(simplified ? 3 : 4);
  ValueId sum = node.make(Binary{BinaryKind::add}, {node.in(0), node.in(1)});
  if (bias != kNoValue) sum = node.make(Binary{BinaryKind::add}, {sum, bias});
  if (node.out(3) != kNoValue) node.add(Identity{}, {sum}, {node.out(3)});
  if (node.out(1) != kNoValue || node.out(2) != kNoValue) return unsupported("outputs of training");
  const float epsilon = node.number("epsilon", 1e-5F);
  if (simplified) return node.give(RmsNorm{-1, epsilon}, {sum, node.in(2)});
  return node.give(LayerNorm{-1, epsilon}, {sum, node.in(2), node.in(3)});
}

Status fused_matmul(Lowering& node) {
  MatMul op;
  op.transpose_a = node.flag("transA");
  op.transpose_b = node.flag("transB");
  if (node.flag("transBatchA") || node.flag("transBatchB")) return unsupported("transposed batches");
  const float alpha = node.number("alpha", 1);
  if (alpha == 1) return node.same(op);
  const DType type = node.type_of(node.in(0)).value_or(DType::f32);
  const ValueId product = node.make(op, {node.in(0), node.in(1)});
  return node.give(Binary{BinaryKind::multiply}, {product, node.scalar(static_cast<double>(alpha), type)});
}

// A mask (batch, keys) of ones and zeros, as attention reads it.
ValueId key_mask(Lowering& node, ValueId mask) {
  const ValueId boolean = node.make(Cast{DType::boolean}, {mask});
  return node.make(Unsqueeze{}, {boolean, node.integers_value({1, 2})});
}

// What attention adds to scores, from a mask of keys or a bias; both is more than one op takes.
Result<ValueId> fused_mask(Lowering& node, ValueId mask, ValueId bias) {
  if (mask == kNoValue) return bias;
  if (bias != kNoValue) return unsupported("both a mask and a bias of scores");
  return key_mask(node, mask);
}

// q, k, v from one tensor whose last axis holds them side by side.
std::vector<ValueId> split_three(Lowering& node, ValueId joined, int64_t axis) {
  Draft& draft = node.draft();
  const std::vector<ValueId> parts = {draft.add_value("q"), draft.add_value("k"), draft.add_value("v")};
  node.add(Split{axis}, {joined}, parts);
  return parts;
}

Status multi_head_attention(Lowering& node) {
  node.ignore("mask_filter_value");
  Attention op;
  op.heads = op.kv_heads = node.required_integer("num_heads");
  op.scale = node.number("scale", 0);
  op.causal = node.flag("unidirectional");
  if (node.in(1) == kNoValue || node.in(2) == kNoValue) return unsupported("packed queries, keys and values");
  std::vector<ValueId> parts = {node.in(0), node.in(1), node.in(2)};
  if (node.in(3) != kNoValue) {
    const std::vector<ValueId> biases = split_three(node, node.in(3), 0);
    for (size_t i = 0; i < 3; ++i) parts[i] = node.make(Binary{BinaryKind::add}, {parts[i], biases[i]});
  }
  HALFTONE_ASSIGN(const ValueId mask, fused_mask(node, node.in(4), node.in(5)));
  parts.insert(parts.end(), {mask, node.in(6), node.in(7)});
  node.add(op, std::move(parts), node.all_out());
  return {};
}

Status fused_attention(Lowering& node) {
  node.ignore("mask_filter_value");
  Attention op;
  op.heads = op.kv_heads = node.required_integer("num_heads");
  op.scale = node.number("scale", 0);
  op.causal = node.flag("unidirectional");
  if (node.in(4) != kNoValue || node.out(1) != kNoValue) return unsupported("past keys and values");
  if (node.flag("do_rotary")) return unsupported("do_rotary");
  ValueId joined = node.make(MatMul{}, {node.in(0), node.in(1)});
  if (node.in(2) != kNoValue) joined = node.make(Binary{BinaryKind::add}, {joined, node.in(2)});
  std::vector<ValueId> parts = split_three(node, joined, -1);
  HALFTONE_ASSIGN(const ValueId mask, fused_mask(node, node.in(3), node.in(5)));
  parts.push_back(mask);
  return node.give(op, std::move(parts));
}

Status fused_rotary(Lowering& node) {
  RotaryEmbedding op;
  op.heads = node.integer("num_heads", 0);
  op.rotary = node.integer("rotary_embedding_dim", 0);
  op.interleaved = node.flag("interleaved");
  node.ignore("is_packed_batching");
  if (node.number("scale", 1) != 1) return unsupported("a scale");
  return node.give(op, {node.in(0), node.in(2), node.in(3), node.in(1)});
}

constexpr std::array kTransformerRows = std::to_array<OpRow>({
    {"Attention", attention},
    {"RotaryEmbedding", rotary_embedding},
    {"RNN", recurrent<CellKind::rnn>},
    {"GRU", recurrent<CellKind::gru>},
    {"LSTM", recurrent<CellKind::lstm>},
    {"Gelu", [](Lowering& node) { return node.same(Unary{UnaryKind::gelu}); }, kMicrosoftFused},
    {"BiasGelu", [](Lowering& node) { return gelu_of_sum(node, UnaryKind::gelu); }, kMicrosoftFused},
    {"FastGelu", [](Lowering& node) { return gelu_of_sum(node, UnaryKind::gelu_tanh); }, kMicrosoftFused},
    {"QuickGelu", [](Lowering& node) { return node.same(Unary{UnaryKind::swish, node.number("alpha", 1.702F)}); },
     kMicrosoftFused},
    {"SkipLayerNormalization", skip_norm<false>, kMicrosoftFused},
    {"SkipSimplifiedLayerNormalization", skip_norm<true>, kMicrosoftFused},
    {"FusedMatMul", fused_matmul, kMicrosoftFused},
    {"MultiHeadAttention", multi_head_attention, kMicrosoftFused},
    {"Attention", fused_attention, kMicrosoftFused},
    {"RotaryEmbedding", fused_rotary, kMicrosoftFused},
});

}  // namespace

std::span<const OpRow> transformer_rows() { return kTransformerRows; }

}  // namespace halftone::onnx
