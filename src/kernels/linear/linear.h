// SPDX-License-Identifier: Apache-2.0
// y[t][r] = sum over k of x[t][k] * w[r][k]; tokens in rows of x and y, weights (rows, columns).
//
// Two numeric contracts, each the same bits on every ISA, batch size, thread count and storage order:
//   exact  acc = 0; for k ascending: acc = fma(x[t][k], w[r][k], acc), w decoded as float(q) * scale (exactly representable).
//   int8   activations are int8 with one scale per 128 columns (QuantizedActivations). Per block of 128 columns, in order:
//            block-scaled layouts: s = 0; for each group of 32 in order: s = fma(float(isum), w_scale, s); acc = fma(s, x_scale, acc)
//            channel layouts:      acc = fma(float(isum), x_scale, acc); at the end y = acc * w_scale
//          isum = exact integer sum of xq * q over the group (or the 128 block).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/isa.h"
#include "tensor/layout.h"

namespace halftone {

enum class Activations : uint8_t { exact, int8 };

inline constexpr int64_t kActivationBlock = 128;  // columns per activation scale
inline constexpr int64_t kActivationGroup = 32;   // columns per stored sum

// Rows of int8 activations; strides in elements. codes are padded with zeros to a multiple of 32 columns.
struct QuantizedActivations {
  const int8_t* codes;  // (tokens, code_stride)
  const float* scales;  // (tokens, scale_stride): one per 128 columns
  const int32_t* sums;  // (tokens, sum_stride): sum of codes per 32 columns
  int64_t code_stride, scale_stride, sum_stride;
};

struct LinearArgs {
  const std::byte* weights;  // first byte of the matrix, in the order of the kernel row
  int64_t rows, columns;
  int64_t panel_begin, panel_end;  // panels of 16 rows to compute: rows [16 * begin, min(rows, 16 * end))
  int64_t tokens;
  const float* x;  // exact: (tokens, x_stride)
  int64_t x_stride;
  QuantizedActivations q;  // int8
  float* y;  // (tokens, y_stride)
  int64_t y_stride;
  std::byte* scratch;  // linear_scratch_bytes() of it, aligned to 64, private to the calling thread
};

using LinearFn = void (*)(const LinearArgs&);

// One row of kernels.inc, best first: declares, selects, tests and benchmarks.
struct LinearKernel {
  const char* name;  // "linear_int4_block32_int8_avx512"
  Isa isa;
  LayoutId layout;
  Order order;
  Activations activations;
  LinearFn run;
};

const LinearKernel* const* linear_kernels(int* count);
// The first row that fits. Never null for exact; null for int8 on float layouts (which always compute exactly).
const LinearKernel* select_linear(LayoutId layout, Order order, Activations activations, Isa active);
int64_t linear_scratch_bytes(int64_t columns);

// Quantizes one token: scale = max|x| / 127 per 128 columns (f32), code = round to nearest even of x / scale; zero block: scale 0.
// codes must hold columns rounded up to 32.
void quantize_activations(const float* x, int64_t columns, int8_t* codes, float* scales, int32_t* sums);

}  // namespace halftone
