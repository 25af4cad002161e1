// SPDX-License-Identifier: Apache-2.0
// What a convolution kernel is given; all that files compiled for one ISA see of us (nothing here can emit a weak
// symbol).
#pragma once

#include <cstdint>

namespace halftone {

// The weights of so many output channels lie side by side.
inline constexpr int64_t kConvPanel = 16;
// Output pixels per call of a kernel at most.
inline constexpr int64_t kConvPixels = 96;

// A piece of a window that lies without a gap in the image: one tap, or a whole row of taps.
//   general    y[p][o] = chain over runs and, within one, over i ascending of fma(x[i], w[i][o], acc), from bias[o]
//   depthwise  y[p][c] = chain over runs of fma(x[c], w[c], acc), from bias[c]
struct ConvArgs {
  // (runs, pixels): where each pixel's run begins; in pads at `runs` numbers that are zero.
  const float* const* from;
  int64_t runs, length;  // length: numbers of a run; of depthwise ones: channels
  int64_t pixels;        // <= kConvPixels
  // general: panels of 16 outputs, each (runs * length, 16); depthwise: panels of 16 channels, each (runs, 16); the
  // last is filled up with zeros.
  const float* weights;
  const float* bias;  // as many as `channels`; may be null
  int64_t channels;   // outputs
  float* y;           // (pixels, y_stride)
  int64_t y_stride;
  // What happens to a sum before it is stored: y = min(max(sum + added, least), most); a NaN stays one.
  const float* added = nullptr;  // as y; may be null
  float least = -__builtin_inff(), most = __builtin_inff();
  // general: so far behind a pixel's run the next pixel's begins, of every run; then `from` has one pointer per run,
  // the first pixel's. 0: `from` says. Fastest where it is known, and where pixels of a tile lie so.
  int64_t step = 0;
};

// A piece of a row of output pixels of a depthwise convolution without dilation along the row: neighbours share most of
// what they read, so pointers are those of columns of the image. The same chain as `depthwise`.
struct ConvRowArgs {
  // (rows, (pixels - 1) * stride + kernel): the columns of each row of taps; in pads at zeros.
  const float* const* from;
  int64_t rows, kernel, stride;
  int64_t pixels;
  ConvArgs rest;  // weights, bias, channels, y, y_stride and what happens at the end
};

using ConvFn = void (*)(const ConvArgs&);
using ConvRowFn = void (*)(const ConvRowArgs&);
struct ConvFunctions {
  ConvFn general, depthwise;
  ConvRowFn depthwise_row;  // REQUIRES: has_conv_row()
  ConvFn end;               // y[p][o] += bias[o], and what happens at the end, of sums that are in y
};
constexpr bool has_conv_row(int64_t kernel, int64_t stride) {
  return (kernel == 3 || kernel == 5) && (stride == 1 || stride == 2);
}

}  // namespace halftone
