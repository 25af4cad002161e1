// SPDX-License-Identifier: Apache-2.0
// The plain table that ISA files fill; free of anything that emits weak symbols.
#pragma once

#include <cstdint>

namespace halftone {

struct VectorFunctions {
  // y = x * (1 / sqrt(mean(x^2) + epsilon)) * weight; weight may be null (all ones)
  void (*rms_norm)(const float* x, const float* weight, int64_t n, float epsilon, float* y);
  // y = (x - mean) * (1 / sqrt(mean((x - mean)^2) + epsilon)) * weight + bias
  void (*layer_norm)(const float* x, const float* weight, const float* bias, int64_t n, float epsilon, float* y);
  // y = gate / (1 + exp(-gate)) * up
  void (*swiglu)(const float* gate, const float* up, int64_t n, float* y);
  // y = gate / (1 + exp(-2 u)) * up with u = sqrt(2 / pi) * (gate + 0.044715 gate^3), which is 0.5 gate (1 + tanh(u)) *
  // up; up may be null (all ones)
  void (*geglu)(const float* gate, const float* up, int64_t n, float* y);
  void (*soft_cap)(const float* x, int64_t n, float cap, float* y);  // y = cap * tanh(x / cap); cap > 0
  void (*add)(const float* a, const float* b, int64_t n, float* y);  // y may alias a or b
  // Half-split rope in place on (heads, head_dim): pairs (i, i + rotary / 2); cos and sin have rotary / 2 entries.
  void (*rope)(float* x, int64_t heads, int64_t head_dim, int64_t rotary, const float* cos, const float* sin);
  float (*maximum)(const float* x, int64_t n);
  double (*sum_of_exp)(const float* x, int64_t n, float most, float* y);  // of exp(x - most), written to y unless null
  float (*softmax)(float* x, int64_t n);                                  // in place; returns the maximum it subtracted
};

}  // namespace halftone
