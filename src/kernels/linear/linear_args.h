// SPDX-License-Identifier: Apache-2.0
// What a linear kernel is given; all that files compiled for one ISA see of us (nothing here can emit a weak symbol).
#pragma once

#include <cstddef>
#include <cstdint>

namespace halftone {

inline constexpr int64_t kActivationBlock = 128;  // columns per activation scale
inline constexpr int64_t kActivationGroup = 32;   // columns per stored sum

// Decoded weights of the chunk that a SIMD kernel works on: 2 panels of 256 columns or 4 of 128, as f32.
inline constexpr int64_t kLinearChunkBytes = 32768;

// int8 kernels for many tokens: 2 panels of 2048 columns as bytes, their scales as f32, and what tiles sum up.
inline constexpr int64_t kLinearStripBytes = 90112;
// The same columns of x, for so many tokens at a time; the stride is no multiple of what cache sets repeat after.
inline constexpr int64_t kLinearTokens = 516, kLinearTokenFloats = 256 + 16;
inline constexpr int64_t kLinearScratchBytes = kLinearChunkBytes + kLinearTokens * kLinearTokenFloats * 4;

// Rows of int8 activations; strides in elements. codes are in -127..127 and padded with zeros to a multiple of 32
// columns.
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
  float* y;                // (tokens, y_stride)
  int64_t y_stride;
  std::byte* scratch;               // linear_scratch_bytes() of it, aligned to 64, private to the calling thread
  const std::byte* head = nullptr;  // between kernels: what precedes the panels, `weights` being the first of them
};

using LinearFn = void (*)(const LinearArgs&);

}  // namespace halftone
