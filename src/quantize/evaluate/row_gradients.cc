// SPDX-License-Identifier: Apache-2.0
#include "quantize/evaluate/row_gradients.h"

#include <cmath>

namespace halftone {
namespace {

// Sum over i of term(i).
template <class Term>
float sum_of_terms(int64_t n, const Term& term) {
  float lanes[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int64_t lane = 0; lane < 16; ++lane) lanes[lane] += term(i + lane);
  for (int64_t lane = 0; i < n; ++i, ++lane) lanes[lane] += term(i);
  for (int64_t half = 8; half > 0; half /= 2)
    for (int64_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  return lanes[0];
}

}  // namespace

float dot_product(const float* a, const float* b, int64_t n) {
  return sum_of_terms(n, [&](int64_t i) { return a[i] * b[i]; });
}

void rms_norm_gradient(const float* x, const float* weight, const float* d_y, int64_t n, float epsilon, float* d_x,
                       float* d_weight) {
  const auto size = static_cast<float>(n);
  const float factor = 1.0f / std::sqrt(dot_product(x, x, n) / size + epsilon);
  const float along = sum_of_terms(n, [&](int64_t i) { return weight[i] * d_y[i] * x[i]; });
  const float back = along * factor * factor * factor / size;
  for (int64_t i = 0; i < n; ++i) {
    d_x[i] = weight[i] * d_y[i] * factor - x[i] * back;
    d_weight[i] += d_y[i] * (x[i] * factor);
  }
}

void layer_norm_gradient(const float* x, const float* weight, const float* d_y, int64_t n, float epsilon, float* d_x,
                         float* d_weight, float* d_bias) {
  const auto size = static_cast<float>(n);
  const float mean = sum_of_terms(n, [&](int64_t i) { return x[i]; }) / size;
  const float variance = sum_of_terms(n, [&](int64_t i) { return (x[i] - mean) * (x[i] - mean); }) / size;
  const float factor = 1.0f / std::sqrt(variance + epsilon);
  const float level = sum_of_terms(n, [&](int64_t i) { return weight[i] * d_y[i]; }) / size;
  const float along = sum_of_terms(n, [&](int64_t i) { return weight[i] * d_y[i] * ((x[i] - mean) * factor); }) / size;
  for (int64_t i = 0; i < n; ++i) {
    const float normed = (x[i] - mean) * factor;
    d_x[i] = factor * (weight[i] * d_y[i] - level - normed * along);
    d_weight[i] += d_y[i] * normed;
    d_bias[i] += d_y[i];
  }
}

void gate_gradient(Gate kind, const VectorKernels& kernels, const float* gate, const float* up, const float* d_y,
                   int64_t n, float* d_gate, float* d_up, float* scratch) {
  constexpr float kTwiceRoot = 1.5957691216057308f, kCubic = 0.044715f * kTwiceRoot;  // 2 sqrt(2 / pi)
  // f(g) = g / (1 + exp(-h(g))): h is g itself or twice the argument of gelu's tanh.
  const bool gelu = kind == Gate::gelu;
  for (int64_t i = 0; i < n; ++i) {
    const float g = gate[i];
    scratch[i] = gelu ? -(g * (g * g * kCubic + kTwiceRoot)) : -g;
  }
  kernels.sum_of_exp(scratch, n, 0, scratch);
  for (int64_t i = 0; i < n; ++i) {
    const float g = gate[i], part = 1 / (1 + scratch[i]);
    const float slope = gelu ? g * g * (3 * kCubic) + kTwiceRoot : 1.0f;
    const float rise = part + g * (part * (1 - part)) * slope;
    d_gate[i] = d_y[i] * (up != nullptr ? up[i] : 1.0f) * rise;
    if (d_up != nullptr) d_up[i] = d_y[i] * (g * part);
  }
}

void soft_cap_gradient(const float* y, const float* d_y, int64_t n, float cap, float* d_x) {
  for (int64_t i = 0; i < n; ++i) d_x[i] = d_y[i] * (1 - (y[i] / cap) * (y[i] / cap));
}

}  // namespace halftone
