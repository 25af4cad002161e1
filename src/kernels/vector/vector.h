// SPDX-License-Identifier: Apache-2.0
// Row operations. Sums run over 16 virtual lanes (element i belongs to lane i % 16) that are added by one fixed tree:
// lanes (0+8, 1+9, ... 7+15), then (0+4 ...), (0+2 ...), (0+1). exp is our own (lanes_math.h). Same bits on every ISA.
#pragma once

#include <cstdint>

#include "kernels/isa.h"
#include "kernels/vector/vector_table.h"

namespace halftone {

struct VectorKernels : VectorFunctions {
  const char* name;
  Isa isa;

  double log_sum_exp(const float* x, int64_t n) const;  // log(sum(exp(x)))
};

const VectorKernels* const* vector_kernels(int* count);  // every compiled one, best first
const VectorKernels& select_vector(Isa active);

}  // namespace halftone
