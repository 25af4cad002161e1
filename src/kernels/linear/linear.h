// SPDX-License-Identifier: Apache-2.0
// y[t][r] = sum over k of x[t][k] * w[r][k]; tokens in rows of x and y, weights (rows, columns).
//
// Two numeric contracts, each the same bits on every ISA, batch size, thread count and storage order:
//   exact  acc = 0; for k ascending: acc = fma(x[t][k], w[r][k], acc); w = float(q) * scale is representable.
//   int8   activations are int8, one scale per 128 columns (QuantizedActivations). Per block of 128 columns, in order,
//          isum being the exact integer sum of xq * q over a group of 32 (or, for channel layouts, over the block):
//            block-scaled layouts: s = 0; for each group in order: s = fma(float(isum), w_scale, s);
//                                  then acc = fma(s, x_scale, acc)
//            channel layouts:      acc = fma(float(isum), x_scale, acc); at the end y = acc * w_scale
//
// Speed: give a call 2 panels or more (AVX-512 tiles are 32 rows wide), and all tokens of a batch at once.
#pragma once

#include "kernels/isa.h"
#include "kernels/linear/linear_args.h"
#include "tensor/layout.h"

namespace halftone {

enum class Activations : uint8_t { exact, int8 };

// One row of kernels.inc, best first: declares, selects, tests and benchmarks.
struct LinearKernel {
  const char* name;  // "linear_int4_block32_panel16_int8_avx512"
  Isa isa;
  LayoutId layout;
  Order order;
  Activations activations;
  LinearFn run;
};

const LinearKernel* const* linear_kernels(int* count);
// The first row that fits. Never null for exact; null for int8 on float layouts (which always compute exactly), and for
// integer layouts in Order::rows, which do not exist.
const LinearKernel* select_linear(LayoutId layout, Order order, Activations activations, Isa active);
int64_t linear_scratch_bytes(int64_t columns);

// Quantizes one token: scale = max|x| / 127 per 128 columns (f32), code = x / scale rounded to nearest even, within
// -127..127; a scale of zero gives codes of zero. A block with an infinity or NaN gets the scale NaN and codes of zero,
// so that the result shows it. codes and sums must hold columns rounded up to 32 (and / 32). The same bits from every
// row of quantize_kernels().
struct QuantizeKernel {
  const char* name;
  Isa isa;
  QuantizeFn run;
};
const QuantizeKernel* const* quantize_kernels(int* count);
QuantizeFn select_quantize(Isa active);
// With the active ISA's kernel (scalar when HALFTONE_ISA is in error: callers report that when they select).
void quantize_activations(const float* x, int64_t columns, int8_t* codes, float* scales, int32_t* sums);

}  // namespace halftone
