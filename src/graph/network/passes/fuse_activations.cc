// SPDX-License-Identifier: Apache-2.0
// Activations that exporters write as several ops. All are products, so each pattern is a set of factors.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "graph/network/passes/rewriter.h"

namespace halftone::network {
namespace {

bool close(double a, double b) { return std::abs(a - b) <= 1e-4 * std::abs(b); }

// The other operand of a sum with this constant.
std::optional<ValueId> plus(const Rewriter& rewriter, ValueId id, double constant) {
  const Binary* binary = rewriter.made_by<Binary>(id);
  if (binary == nullptr || binary->kind != BinaryKind::add) return {};
  const auto& inputs = rewriter.writer(id)->inputs;
  for (const size_t i : {0u, 1u})
    if (rewriter.is(inputs[i], constant)) return inputs[1 - i];
  return {};
}

std::optional<ValueId> argument_of(const Rewriter& rewriter, ValueId id, UnaryKind kind) {
  const Unary* unary = rewriter.made_by<Unary>(id);
  if (unary == nullptr || unary->kind != kind) return {};
  return rewriter.writer(id)->inputs[0];
}

bool is_product(const Rewriter& rewriter, ValueId id, double scalar, std::vector<ValueId> others) {
  Factors factors = factors_of(rewriter, id);
  std::ranges::sort(factors.others);
  std::ranges::sort(others);
  return close(factors.scalar, scalar) && factors.others == others;
}

bool is_cube(const Rewriter& rewriter, ValueId id, ValueId x) {
  const Binary* power = rewriter.made_by<Binary>(id);
  if (power != nullptr && power->kind == BinaryKind::power)
    return rewriter.writer(id)->inputs[0] == x && rewriter.is(rewriter.writer(id)->inputs[1], 3);
  return is_product(rewriter, id, 1, {x, x, x});
}

// sqrt(2 / pi) * (x + 0.044715 x^3)
bool is_tanh_argument(const Rewriter& rewriter, ValueId id, ValueId x) {
  constexpr double kCubic = 0.044715;
  const Factors outer = factors_of(rewriter, id);
  if (outer.others.size() != 1 || !close(outer.scalar, std::sqrt(2 / std::numbers::pi))) return false;
  const Binary* sum = rewriter.made_by<Binary>(outer.others[0]);
  if (sum == nullptr || sum->kind != BinaryKind::add) return false;
  const auto& inputs = rewriter.writer(outer.others[0])->inputs;
  for (const size_t i : {0u, 1u}) {
    if (inputs[i] != x) continue;
    const Factors cubic = factors_of(rewriter, inputs[1 - i]);
    if (!close(cubic.scalar, kCubic)) continue;
    if (cubic.others == std::vector{x, x, x} || (cubic.others.size() == 1 && is_cube(rewriter, cubic.others[0], x)))
      return true;
  }
  return false;
}

// 0.5 x (1 + erf(x / sqrt 2)), or with tanh.
std::optional<Unary> gelu_factor(const Rewriter& rewriter, ValueId x, ValueId factor) {
  const auto inner = plus(rewriter, factor, 1);
  if (!inner) return {};
  if (const auto argument = argument_of(rewriter, *inner, UnaryKind::erf))
    if (is_product(rewriter, *argument, std::numbers::sqrt2 / 2, {x})) return Unary{UnaryKind::gelu};
  if (const auto argument = argument_of(rewriter, *inner, UnaryKind::tanh))
    if (is_tanh_argument(rewriter, *argument, x)) return Unary{UnaryKind::gelu_tanh};
  return {};
}

// x sigmoid(alpha x)
std::optional<Unary> swish_factor(const Rewriter& rewriter, ValueId x, ValueId factor) {
  const auto argument = argument_of(rewriter, factor, UnaryKind::sigmoid);
  if (!argument) return {};
  const Factors inner = factors_of(rewriter, *argument);
  if (*argument != x && inner.others != std::vector{x}) return {};
  return Unary{UnaryKind::swish, *argument == x ? 1.0F : static_cast<float>(inner.scalar)};
}

// x min(max(x + 3, 0), 6), still to be divided by 6.
bool is_clipped(const Rewriter& rewriter, ValueId x, ValueId factor) {
  if (rewriter.made_by<Clip>(factor) == nullptr) return false;
  const auto& inputs = rewriter.writer(factor)->inputs;
  if (inputs.size() != 3 || rewriter.scalar(inputs[1]) != 0.0 || !rewriter.is(inputs[2], 6)) return false;
  return plus(rewriter, inputs[0], 3) == x;
}

std::optional<Unary> activation_of(const Rewriter& rewriter, const Factors& factors, ValueId x, ValueId factor) {
  if (close(factors.scalar, 0.5)) return gelu_factor(rewriter, x, factor);
  if (close(factors.scalar, 1.0 / 6) && is_clipped(rewriter, x, factor)) return Unary{UnaryKind::hard_swish};
  if (factors.scalar != 1) return {};
  const Unary* gate = rewriter.made_by<Unary>(factor);
  if (gate != nullptr && gate->kind == UnaryKind::hard_sigmoid && close(static_cast<double>(gate->alpha), 1.0 / 6) &&
      gate->beta == 0.5F && rewriter.writer(factor)->inputs[0] == x)
    return Unary{UnaryKind::hard_swish};
  return swish_factor(rewriter, x, factor);
}

bool ends_product(const Node& node) {
  const Binary* binary = std::get_if<Binary>(&node.op);
  return binary != nullptr && (binary->kind == BinaryKind::multiply || binary->kind == BinaryKind::divide);
}

}  // namespace

int fuse_activations(Rewriter& rewriter) {
  int fused = 0;
  // From the end: a product inside of one that was fused is found no more.
  for (size_t i = rewriter.network.nodes.size(); i-- > 0;) {
    const Node& node = rewriter.network.nodes[i];
    if (!ends_product(node) || rewriter.type_of(node.outputs[0]) != DType::f32) continue;
    const Factors factors = factors_of(rewriter, node.outputs[0]);
    if (factors.others.size() != 2) continue;
    for (const size_t k : {0u, 1u}) {
      const ValueId x = factors.others[k];
      const auto activation = activation_of(rewriter, factors, x, factors.others[1 - k]);
      if (!activation) continue;
      rewriter.replace(node.outputs[0], *activation, {x});
      ++fused;
      break;
    }
  }
  return fused;
}

}  // namespace halftone::network
