// SPDX-License-Identifier: Apache-2.0
// Layer norms and RMS norms that exporters write as means, differences and roots.
#include <algorithm>

#include "graph/network/passes/rewriter.h"

namespace halftone::network {
namespace {

const Node* binary_node(const Rewriter& rewriter, ValueId id, BinaryKind kind) {
  const Binary* binary = rewriter.made_by<Binary>(id);
  return binary != nullptr && binary->kind == kind ? rewriter.writer(id) : nullptr;
}

const Node* unary_node(const Rewriter& rewriter, ValueId id, UnaryKind kind) {
  const Unary* unary = rewriter.made_by<Unary>(id);
  return unary != nullptr && unary->kind == kind ? rewriter.writer(id) : nullptr;
}

// A mean over the last axes, [-n, ..., -1], that keeps them.
struct LastMean {
  ValueId x;
  int64_t axis;  // -n
};
std::optional<LastMean> last_mean(const Rewriter& rewriter, ValueId id) {
  const Reduce* reduce = rewriter.made_by<Reduce>(id);
  if (reduce == nullptr || reduce->kind != ReduceKind::mean || !reduce->keep_dims) return {};
  const Node* node = rewriter.writer(id);
  if (node->inputs.size() < 2) return {};
  auto axes = rewriter.integers(node->inputs[1]);
  if (!axes || axes->empty()) return {};
  std::ranges::sort(*axes);
  for (size_t i = 0; i < axes->size(); ++i)
    if ((*axes)[i] != static_cast<int64_t>(i) - static_cast<int64_t>(axes->size())) return {};
  return LastMean{node->inputs[0], axes->front()};
}

// What is squared.
std::optional<ValueId> squared(const Rewriter& rewriter, ValueId id) {
  if (const Node* node = unary_node(rewriter, id, UnaryKind::square)) return node->inputs[0];
  if (const Node* node = binary_node(rewriter, id, BinaryKind::multiply))
    if (node->inputs[0] == node->inputs[1]) return node->inputs[0];
  if (const Node* node = binary_node(rewriter, id, BinaryKind::power))
    if (rewriter.is(node->inputs[1], 2)) return node->inputs[0];
  return {};
}

// value / sqrt(mean(value^2) + epsilon) in any of its forms.
struct Normalised {
  ValueId value;
  int64_t axis;
  float epsilon;
};
std::optional<Normalised> mean_square(const Rewriter& rewriter, ValueId value, ValueId sum) {
  const Node* add = binary_node(rewriter, sum, BinaryKind::add);
  if (add == nullptr) return {};
  for (const size_t i : {0u, 1u}) {
    const auto epsilon = rewriter.scalar(add->inputs[i]);
    const auto mean = last_mean(rewriter, add->inputs[1 - i]);
    if (epsilon && mean && squared(rewriter, mean->x) == value)
      return Normalised{value, mean->axis, static_cast<float>(*epsilon)};
  }
  return {};
}

std::optional<Normalised> normalised(const Rewriter& rewriter, ValueId id) {
  if (const Node* divide = binary_node(rewriter, id, BinaryKind::divide))
    if (const Node* root = unary_node(rewriter, divide->inputs[1], UnaryKind::sqrt))
      return mean_square(rewriter, divide->inputs[0], root->inputs[0]);
  const Node* product = binary_node(rewriter, id, BinaryKind::multiply);
  for (const size_t i : {0u, 1u}) {
    if (product == nullptr) break;
    const ValueId value = product->inputs[i], factor = product->inputs[1 - i];
    const Node* root = unary_node(rewriter, factor, UnaryKind::rsqrt);
    if (const Node* inverse = unary_node(rewriter, factor, UnaryKind::reciprocal))
      root = unary_node(rewriter, inverse->inputs[0], UnaryKind::sqrt);
    if (const Node* inverse = binary_node(rewriter, factor, BinaryKind::divide))
      if (rewriter.is(inverse->inputs[0], 1)) root = unary_node(rewriter, inverse->inputs[1], UnaryKind::sqrt);
    if (root == nullptr) continue;
    if (const auto found = mean_square(rewriter, value, root->inputs[0])) return found;
  }
  return {};
}

// x of x - mean(x).
std::optional<ValueId> centered(const Rewriter& rewriter, const Normalised& norm) {
  const Node* difference = binary_node(rewriter, norm.value, BinaryKind::subtract);
  if (difference == nullptr) return {};
  const auto mean = last_mean(rewriter, difference->inputs[1]);
  if (!mean || mean->x != difference->inputs[0] || mean->axis != norm.axis) return {};
  return mean->x;
}

// A constant that scales or shifts exactly the normalised axes.
bool fits_axes(const Rewriter& rewriter, ValueId id, int64_t axis) {
  const Tensor* tensor = rewriter.floats(id);
  return tensor != nullptr && tensor->rank() == -axis && tensor->elements() > 1;
}

bool fuse_core(Rewriter& rewriter, ValueId output) {
  const auto norm = normalised(rewriter, output);
  if (!norm) return false;
  const auto x = centered(rewriter, *norm);
  if (!x) return false;
  rewriter.replace(output, LayerNorm{norm->axis, norm->epsilon}, {*x});
  return true;
}

// A product with a layer norm's scale, a sum with its bias, or a product that makes an RMS norm.
bool fuse_constant(Rewriter& rewriter, ValueId output, const std::vector<ValueId>& inputs, BinaryKind kind) {
  for (const size_t i : {0u, 1u}) {
    const ValueId constant = inputs[i], x = inputs[1 - i];
    const LayerNorm* layer = rewriter.made_by<LayerNorm>(x);
    if (layer != nullptr && rewriter.readers(x) == 1 && fits_axes(rewriter, constant, layer->axis)) {
      std::vector<ValueId> read = rewriter.writer(x)->inputs;
      if (kind == BinaryKind::multiply ? read.size() != 1 : read.size() > 2) continue;
      if (kind == BinaryKind::add && read.size() == 1) read.push_back(kNoValue);
      read.push_back(constant);
      rewriter.replace(output, LayerNorm(*layer), std::move(read));
      return true;
    }
    const auto norm = kind == BinaryKind::multiply ? normalised(rewriter, x) : std::nullopt;
    if (!norm || !fits_axes(rewriter, constant, norm->axis)) continue;
    rewriter.replace(output, RmsNorm{norm->axis, norm->epsilon}, {norm->value, constant});
    return true;
  }
  return false;
}

}  // namespace

int fuse_norms(Rewriter& rewriter) {
  int fused = 0;
  for (size_t i = 0; i < rewriter.network.nodes.size(); ++i) {
    const Node& node = rewriter.network.nodes[i];
    const Binary* binary = std::get_if<Binary>(&node.op);
    if (binary == nullptr || rewriter.type_of(node.outputs[0]) != DType::f32) continue;
    const ValueId output = node.outputs[0];
    const std::vector<ValueId> inputs = node.inputs;
    const BinaryKind kind = binary->kind;
    const bool core = (kind == BinaryKind::divide || kind == BinaryKind::multiply) && fuse_core(rewriter, output);
    const bool constant = !core && (kind == BinaryKind::multiply || kind == BinaryKind::add) &&
                          fuse_constant(rewriter, output, inputs, kind);
    fused += core || constant ? 1 : 0;
  }
  return fused;
}

}  // namespace halftone::network
