// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear/linear.h"

#include <bit>
#include <cstring>
#include <iterator>

#include "base/aligned.h"
#include "base/rng.h"

namespace halftone {

#define LINEAR_KERNEL(isa, layout, order, activations) \
  void linear_##layout##_##order##_##activations##_##isa(const LinearArgs&);
#define QUANTIZE_KERNEL(isa) void quantize_activations_##isa(const float*, int64_t, float, int8_t*, float*, int32_t*);
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

// The contract is what one maker's vdpbf16ps computes. Whether this CPU's does is asked once, with numbers around the
// smallest normal one (where implementations could differ) and ordinary ones.
bool bf16_dot_keeps_the_contract() {
#if defined(__x86_64__)
  constexpr int64_t kHigh = 16, kWide = 64, kBatch = 4;
  Rng rng(1);
  const auto number = [&](bool small) {
    const auto exponent = static_cast<uint32_t>(small ? 59 + rng.below(10) : 120 + rng.below(12));
    return (static_cast<uint32_t>(rng.below(uint64_t{1} << 32)) & 0x807fffffu) | exponent << 23;
  };
  AlignedBuffer<std::byte> scratch(static_cast<size_t>(linear_scratch_bytes(kWide)));
  for (const bool small : {true, false}) {
    uint16_t weights[kHigh * kWide];
    float x[kBatch * kWide], got[kBatch * kHigh], want[kBatch * kHigh];
    for (uint16_t& w : weights) w = static_cast<uint16_t>(number(small) >> 16);
    for (float& value : x) value = std::bit_cast<float>(number(small));
    LinearArgs args = {reinterpret_cast<const std::byte*>(weights),
                       kHigh,
                       kWide,
                       0,
                       1,
                       kBatch,
                       x,
                       kWide,
                       {},
                       got,
                       kHigh,
                       scratch.data()};
    linear_bf16_panel16_bf16_avx512(args);
    args.y = want;
    linear_bf16_panel16_bf16_scalar(args);
    if (std::memcmp(got, want, sizeof got) != 0) return false;
  }
#endif
  return true;
}
constexpr Pointers kQuantizePointers(kQuantize);

}  // namespace

const LinearKernel* const* linear_kernels(int* count) {
  *count = static_cast<int>(std::size(kLinear));
  return kLinearPointers.items;
}

std::string_view name_of(Activations activations) {
  constexpr std::string_view kNames[] = {"exact", "int8", "bf16", "auto"};
  return kNames[static_cast<int>(activations)];
}

bool runs_here(const LinearKernel& kernel, Isa active) {
  if (!isa_runs(kernel.isa, active)) return false;
  if (kernel.activations != Activations::bf16) return true;
  // The reference is a hundred times slower than the exact kernels: it is no answer to a machine without the
  // instruction.
  if (kernel.isa == Isa::scalar) return active == Isa::scalar;
  static const bool usable = has_bf16_dot() && bf16_dot_keeps_the_contract();
  return usable;
}

const LinearKernel* select_linear(LayoutId layout, Order order, Activations activations, Isa active) {
  for (const LinearKernel& kernel : kLinear) {
    const bool fits = kernel.layout == layout && kernel.order == order && kernel.activations == activations;
    if (fits && runs_here(kernel, active)) return &kernel;
  }
  return nullptr;
}

int64_t linear_scratch_bytes(int64_t columns) {
  // The reference decodes one row; SIMD kernels decode a chunk of a few panels and gather what meets it.
  const int64_t row_bytes = (columns * static_cast<int64_t>(sizeof(float)) + 63) / 64 * 64;
  return row_bytes > kLinearScratchBytes ? row_bytes : kLinearScratchBytes;
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

void quantize_activations(const float* x, int64_t columns, float fixed_scale, int8_t* codes, float* scales,
                          int32_t* sums) {
  const Result<Isa> active = active_isa();
  select_quantize(active.ok() ? *active : Isa::scalar)(x, columns, fixed_scale, codes, scales, sums);
}

}  // namespace halftone
