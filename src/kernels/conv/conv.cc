// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv/conv.h"

#include <iterator>

namespace halftone {

#define CONV_KERNELS(isa) extern const ConvFunctions kConvFunctions_##isa;
#include "kernels/conv/kernels.inc"

namespace {

const ConvKernels kConv[] = {
#define CONV_KERNELS(isa) {kConvFunctions_##isa, #isa, Isa::isa},
#include "kernels/conv/kernels.inc"
};

}  // namespace

const ConvKernels* const* conv_kernels(int* count) {
  static const auto pointers = [] {
    struct {
      const ConvKernels* items[std::size(kConv)];
    } all;
    for (size_t i = 0; i < std::size(kConv); ++i) all.items[i] = &kConv[i];
    return all;
  }();
  *count = static_cast<int>(std::size(kConv));
  return pointers.items;
}

const ConvKernels& select_conv(Isa active) {
  for (const ConvKernels& kernels : kConv) {
    if (isa_runs(kernels.isa, active)) return kernels;
  }
  return kConv[std::size(kConv) - 1];
}

int64_t conv_packed_floats(int64_t outputs, int64_t columns) {
  return (outputs + kConvPanel - 1) / kConvPanel * kConvPanel * columns;
}

void pack_conv(const ConvWeights& weights, float* to) {
  for (int64_t panel = 0; panel < weights.outputs; panel += kConvPanel)
    for (int64_t tap = 0; tap < weights.taps; ++tap)
      for (int64_t c = 0; c < weights.inputs; ++c)
        for (int64_t o = panel; o < panel + kConvPanel; ++o)
          *to++ = o < weights.outputs
                      ? weights.from[o * weights.out_stride + tap * weights.tap_stride + c * weights.in_stride]
                      : 0;
}

}  // namespace halftone
