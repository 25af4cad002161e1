// SPDX-License-Identifier: Apache-2.0
// Convolution of float images whose channels lie together (channels last): a pixel's window is a list of runs of
// numbers without gaps, so that 1-D, 2-D and 3-D, dilated, strided and padded convolutions and products of matrices are
// one kernel, with one more for depthwise ones.
//
// Numeric contract, the same bits on every ISA, thread count and cutting into pixels: each output is one chain of fma,
// from the bias (or 0), over taps in row-major order and within a tap over channels ascending (conv_args.h). A tap in
// the pads takes part with zeros.
#pragma once

#include "kernels/conv/conv_args.h"
#include "kernels/isa.h"

namespace halftone {

// One row of kernels.inc, best first: declares, selects, tests and benchmarks.
struct ConvKernels {
  ConvFunctions run;
  const char* name;
  Isa isa;
};
const ConvKernels* const* conv_kernels(int* count);
const ConvKernels& select_conv(Isa active);

// Panels of weights[o * out_stride + tap * tap_stride + c * in_stride] for `outputs` outputs of `taps` taps of
// `inputs` channels, to conv_packed_floats(outputs, taps * inputs) floats. A depthwise convolution has one input.
int64_t conv_packed_floats(int64_t outputs, int64_t columns);
struct ConvWeights {
  const float* from;
  int64_t outputs, taps, inputs;
  int64_t out_stride, tap_stride, in_stride;
};
void pack_conv(const ConvWeights& weights, float* to);

}  // namespace halftone
