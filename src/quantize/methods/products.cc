// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/products.h"

#include "kernels/linear/linear.h"

namespace halftone {

Result<ExactProducts> ExactProducts::here() {
  HALFTONE_ASSIGN(const Isa isa, active_isa());
  return ExactProducts{select_linear(LayoutId::f32, Order::rows, Activations::exact, isa)->run,
                       select_linear(LayoutId::f32, Order::panel16, Activations::exact, isa)->run};
}

void multiply(LinearFn run, const Factor& factor, const float* x, int64_t x_stride, int64_t tokens, float* y,
              int64_t y_stride, std::byte* scratch) {
  LinearArgs args = {};
  args.weights = reinterpret_cast<const std::byte*>(factor.weights);
  args.rows = factor.rows;
  args.columns = factor.columns;
  args.panel_end = (factor.rows + kPanelRows - 1) / kPanelRows;
  args.tokens = tokens;
  args.x = x;
  args.x_stride = x_stride;
  args.y = y;
  args.y_stride = y_stride;
  args.scratch = scratch;
  run(args);
}

int64_t product_scratch_bytes(int64_t columns) { return linear_scratch_bytes(columns); }

}  // namespace halftone
