// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear/linear.h"

#include <iterator>

namespace halftone {

#define LINEAR_KERNEL(isa, layout, order, activations) \
  void linear_##layout##_##order##_##activations##_##isa(const LinearArgs&);
#define QUANTIZE_KERNEL(isa) void quantize_activations_##isa(const float*, int64_t, int8_t*, float*, int32_t*);
#include "kernels/linear/kernels.inc"

namespace {

constexpr LinearKernel kLinear[] = {
#define LINEAR_KERNEL(isa, layout, order, activations)     \
  {"linear_" #layout "_" #order "_" #activations "_" #isa, \
   Isa::isa,                                               \
   LayoutId::layout,                                       \
   Order::order,                                           \
   Activations::activations,                               \
   linear_##layout##_##order##_##activations##_##isa},
#include "kernels/linear/kernels.inc"
};

constexpr QuantizeKernel kQuantize[] = {
#define QUANTIZE_KERNEL(isa) {"quantize_activations_" #isa, Isa::isa, quantize_activations_##isa},
#include "kernels/linear/kernels.inc"
};

template <class Kernel, size_t kCount>
struct Pointers {
  const Kernel* items[kCount];
  explicit constexpr Pointers(const Kernel (&rows)[kCount]) : items() {
    for (size_t i = 0; i < kCount; ++i) items[i] = &rows[i];
  }
};
constexpr Pointers kLinearPointers(kLinear);
constexpr Pointers kQuantizePointers(kQuantize);

}  // namespace

const LinearKernel* const* linear_kernels(int* count) {
  *count = static_cast<int>(std::size(kLinear));
  return kLinearPointers.items;
}

const LinearKernel* select_linear(LayoutId layout, Order order, Activations activations, Isa active) {
  for (const LinearKernel& kernel : kLinear) {
    const bool fits = kernel.layout == layout && kernel.order == order && kernel.activations == activations;
    if (fits && isa_runs(kernel.isa, active)) return &kernel;
  }
  return nullptr;
}

int64_t linear_scratch_bytes(int64_t columns) {
  // The reference decodes one row; SIMD kernels decode a chunk of a few panels.
  const int64_t row_bytes = (columns * static_cast<int64_t>(sizeof(float)) + 63) / 64 * 64;
  return row_bytes > kLinearChunkBytes ? row_bytes : kLinearChunkBytes;
}

const QuantizeKernel* const* quantize_kernels(int* count) {
  *count = static_cast<int>(std::size(kQuantize));
  return kQuantizePointers.items;
}

QuantizeFn select_quantize(Isa active) {
  for (const QuantizeKernel& kernel : kQuantize) {
    if (isa_runs(kernel.isa, active)) return kernel.run;
  }
  return quantize_activations_scalar;
}

void quantize_activations(const float* x, int64_t columns, int8_t* codes, float* scales, int32_t* sums) {
  const Result<Isa> active = active_isa();
  select_quantize(active.ok() ? *active : Isa::scalar)(x, columns, codes, scales, sums);
}

}  // namespace halftone
