// SPDX-License-Identifier: Apache-2.0
#include "kernels/vector/vector.h"

#include <cmath>
#include <iterator>

namespace halftone {

#define VECTOR_KERNELS(isa) extern const VectorFunctions kVectorFunctions_##isa;
#include "kernels/vector/kernels.inc"

namespace {

const VectorKernels kKernels[] = {
#define VECTOR_KERNELS(isa) {kVectorFunctions_##isa, #isa, Isa::isa},
#include "kernels/vector/kernels.inc"
};

}  // namespace

double VectorKernels::log_sum_exp(const float* x, int64_t n) const {
  const float most = maximum(x, n);
  return static_cast<double>(most) + std::log(sum_of_exp(x, n, most, nullptr));
}

const VectorKernels* const* vector_kernels(int* count) {
  static const auto pointers = [] {
    struct {
      const VectorKernels* items[std::size(kKernels)];
    } all;
    for (size_t i = 0; i < std::size(kKernels); ++i) all.items[i] = &kKernels[i];
    return all;
  }();
  *count = static_cast<int>(std::size(kKernels));
  return pointers.items;
}

const VectorKernels& select_vector(Isa active) {
  for (const VectorKernels& kernels : kKernels) {
    if (isa_runs(kernels.isa, active)) return kernels;
  }
  return kKernels[std::size(kKernels) - 1];
}

}  // namespace halftone
