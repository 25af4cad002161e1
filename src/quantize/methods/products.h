// SPDX-License-Identifier: Apache-2.0
// ExactProducts of f32 matrices through the exact linear kernels: fast, and the same bits on every machine.
#pragma once

#include <cstddef>
#include <cstdint>

#include "halftone/status.h"
#include "kernels/linear/linear_args.h"

namespace halftone {

struct ExactProducts {
  LinearFn by_rows = nullptr;    // weights (rows, columns) as they lie
  LinearFn by_panels = nullptr;  // weights in panels of 16 rows, [column][16]

  static Result<ExactProducts> here();  // for the active instruction set
};

// One right-hand side: weights (rows, columns) in the order that the function reads.
struct Factor {
  const float* weights;
  int64_t rows, columns;
};

// y[t][r] = sum over k ascending of x[t][k] * w[r][k]. scratch: product_scratch_bytes(factor.columns), of the calling
// thread.
void multiply(LinearFn run, const Factor& factor, const float* x, int64_t x_stride, int64_t tokens, float* y,
              int64_t y_stride, std::byte* scratch);
int64_t product_scratch_bytes(int64_t columns);

}  // namespace halftone
