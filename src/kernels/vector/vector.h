// SPDX-License-Identifier: Apache-2.0
// Row operations. Sums run over 16 virtual lanes (element i belongs to lane i % 16) that are added by one fixed tree:
// lanes (0+8, 1+9, ... 7+15), then (0+4 ...), (0+2 ...), (0+1). exp is our own (exp_f32). Same bits on every ISA.
#pragma once

#include <cstdint>

#include "kernels/isa.h"

namespace halftone {

struct VectorKernels {
  Isa isa;
  // y = x * (1 / sqrt(mean(x^2) + epsilon)) * weight; weight may be null (all ones)
  void (*rms_norm)(const float* x, const float* weight, int64_t n, float epsilon, float* y);
  // y = gate / (1 + exp(-gate)) * up
  void (*swiglu)(const float* gate, const float* up, int64_t n, float* y);
  void (*add)(const float* a, const float* b, int64_t n, float* y);  // y may alias a or b
  // Half-split rope in place on (heads, head_dim): pairs (i, i + rotary / 2); cos and sin have rotary / 2 entries.
  void (*rope)(float* x, int64_t heads, int64_t head_dim, int64_t rotary, const float* cos, const float* sin);
  // Returns log(sum(exp(x))) and writes nothing.
  double (*log_sum_exp)(const float* x, int64_t n);
  // In place; returns the maximum it subtracted.
  float (*softmax)(float* x, int64_t n);
};

const VectorKernels* const* vector_kernels(int* count);  // every compiled one, best first
const VectorKernels& select_vector(Isa active);

float exp_f32(float x);  // the scalar statement of our exp: within 2 ulp, monotone, exact at 0, 0 below -87.4 (no subnormals)

}  // namespace halftone
