// SPDX-License-Identifier: Apache-2.0
// Derivatives of the row operations of kernels/vector. y is what the operation gives for x, d_y is d loss / d y, and so
// on. Sums run over 16 lanes that are added by halves: the same bits on every machine.
#pragma once

#include <cstdint>

#include "kernels/vector/vector.h"

namespace halftone {

// d_x is overwritten; d_weight (n) is added to.
void rms_norm_gradient(const float* x, const float* weight, const float* d_y, int64_t n, float epsilon, float* d_x,
                       float* d_weight);
// d_bias (n), too.
void layer_norm_gradient(const float* x, const float* weight, const float* d_y, int64_t n, float epsilon, float* d_x,
                         float* d_weight, float* d_bias);

// Which function of the gate multiplies `up`.
enum class Gate : uint8_t { silu, gelu };
// y = f(gate) * up. up and d_up may be null together (all ones). scratch: (n). d_gate and d_up may alias nothing.
void gate_gradient(Gate kind, const VectorKernels& kernels, const float* gate, const float* up, const float* d_y,
                   int64_t n, float* d_gate, float* d_up, float* scratch);

// y = cap * tanh(x / cap), from y.
void soft_cap_gradient(const float* y, const float* d_y, int64_t n, float cap, float* d_x);

// Sum of a * b.
float dot_product(const float* a, const float* b, int64_t n);

}  // namespace halftone
