// SPDX-License-Identifier: Apache-2.0
// y[t][r] = sum over k of x[t][k] * w[r][k]; tokens in rows of x and y, weights (rows, columns).
//
// Three numeric contracts, each the same bits on every ISA, batch size, thread count and storage order:
//   exact  acc = 0; for k ascending: acc = fma(x[t][k], w[r][k], acc); w is the decoded weight of tensor/layout.h:
//          float(q) * scale, which is representable, fma(float(u), scale, base), rounded once, or an entry of a
//          palette.
//   int8   activations are int8, one scale per 128 columns (QuantizedActivations), or the same for all of them. Per
//   block of 128 columns, in order,
//          isum being the exact integer sum of xq * q over a group of 16, 32, 64 or 128 (or, for channel layouts, over
//          the block), xsum the sum of xq over the group:
//            block layouts:    s = 0; for each group in order: s = fma(float(isum), w_scale, s);
//                              then acc = fma(s, x_scale, acc)
//            affine layouts:   the same with isum of the stored codes, xq * u, and one more step per group:
//                              s = fma(float(isum), w_scale, s); s = fma(float(xsum), w_base, s)
//            nested layouts:   as those, with w_scale = d * sub and w_base = -(dmin * sub_base), which are exact
//            channel layouts:  acc = fma(float(isum), x_scale, acc); at the end y = acc * w_scale
//            palettes:         as channel layouts. An entry e of a palette becomes q = e / scale, rounded to nearest
//                              even, with scale = max|e| / 127; w_scale is scale or, where rows have one, its product
//                              with that of the row. A palette with an infinity or NaN has the scale NaN and q of 0.
//   bf16   approximate, for bf16 panels: x is rounded to bf16, to nearest even, and for each pair of columns (k, k +
//   1):
//          acc = f(x[k + 1], w[k + 1], acc); acc = f(x[k], w[k], acc), f being a fma that takes subnormal inputs for
//          zeros and returns zero for a result that is subnormal after rounding to 24 bits. So does the instruction
//          vdpbf16ps. There are rows for the scalar reference and for AVX-512 with AVX512_BF16.
//
// Speed: give a call 2 panels or more (AVX-512 tiles are 32 rows wide), and all tokens of a batch at once.
#pragma once

#include "kernels/isa.h"
#include "kernels/linear/linear_args.h"
#include "tensor/layout.h"

namespace halftone {

// automatic is no row's: what a model was made for, as runtime/plan.h chooses.
enum class Activations : uint8_t { exact, int8, bf16, automatic };
std::string_view name_of(Activations activations);

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
// The first row that fits. Never null for exact; null for int8 on float layouts and palettes of many entries or of
// vectors (all that are not HALFTONE_BYTE_PALETTES), which always compute exactly, for integer layouts and palettes in
// Order::rows, which do not exist, and for bf16 unless the layout is a bf16 panel and the machine has the instruction,
// or the scalar ISA is active.
const LinearKernel* select_linear(LayoutId layout, Order order, Activations activations, Isa active);
// May the row be chosen on this machine when `active` is?
bool runs_here(const LinearKernel& kernel, Isa active);
int64_t linear_scratch_bytes(int64_t columns);

// Quantizes one token: scale = max|x| / 127 per 128 columns (f32), code = x / scale rounded to nearest even, within
// -127..127; a scale of zero gives codes of zero. A fixed_scale above zero takes the place of the one that is searched,
// and what lies beyond 127 of it becomes 127. A block with an infinity or NaN gets the scale NaN and codes of zero,
// so that the result shows it. codes and sums must hold columns rounded up to 32 (and / 32). The same bits from every
// row of quantize_kernels().
using QuantizeFn = void (*)(const float* x, int64_t columns, float fixed_scale, int8_t* codes, float* scales,
                            int32_t* sums);
struct QuantizeKernel {
  const char* name;
  Isa isa;
  QuantizeFn run;
};
const QuantizeKernel* const* quantize_kernels(int* count);
QuantizeFn select_quantize(Isa active);
// With the active ISA's kernel (scalar when HALFTONE_ISA is in error: callers report that when they select).
void quantize_activations(const float* x, int64_t columns, float fixed_scale, int8_t* codes, float* scales,
                          int32_t* sums);

}  // namespace halftone
