// SPDX-License-Identifier: Apache-2.0
// Matrix products by the exact kernels of kernels/linear: every number is one chain of fused multiply-adds over
// ascending k, so its bits depend neither on threads nor on the instruction set.
#pragma once

#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "halftone/status.h"
#include "kernels/linear/linear.h"
#include "kernels/vector/vector.h"
#include "tensor/layout.h"

namespace halftone {

// out (columns, rows) = in (rows, columns), transposed; strides in floats from row to row.
void transpose(const float* in, int64_t in_stride, int64_t rows, int64_t columns, float* out, int64_t out_stride);

// The transposed of `in` as f32 panels: 16 columns of `in` are one panel, [row][16]; beyond the last column zeros.
// out: panel_floats(rows, columns).
void pack_transposed(const float* in, int64_t in_stride, int64_t rows, int64_t columns, float* out);
inline int64_t panel_floats(int64_t rows, int64_t columns) {
  return (columns + kPanelRows - 1) / kPanelRows * kPanelRows * rows;
}

// y (columns, columns): what lies below the diagonal becomes the mirror of what lies above.
void mirror_upper(float* y, int64_t columns);

// The kernels of f32 matrices, for code on one thread that brings its own scratch.
struct ExactProducts {
  LinearFn by_rows = nullptr;    // weights (rows, columns) as they lie
  LinearFn by_panels = nullptr;  // weights in panels of 16 rows, [column][16]

  static Result<ExactProducts> here();  // for the active instruction set
};

// One right-hand side: weights (rows, columns) in the order that the kernel reads.
struct Factor {
  const float* weights;
  int64_t rows, columns;
};

// y (tokens, factor.rows) = x (tokens, factor.columns) times the factor transposed; strides in floats from token to
// token. scratch: product_scratch_bytes(factor.columns), of the calling thread.
void multiply(LinearFn run, const Factor& factor, const float* x, int64_t x_stride, int64_t tokens, float* y,
              int64_t y_stride, std::byte* scratch);
inline int64_t product_scratch_bytes(int64_t columns) { return linear_scratch_bytes(columns); }

// One user at a time; what it computes is split over the pool.
class Products {
 public:
  static Result<Products> create(ThreadPool& pool);

  // y (tokens, w.rows) = x (tokens, w.columns) times w transposed. An error where no kernel reads the layout.
  Status by_transposed(const float* x, int64_t tokens, const WeightView& w, float* y);
  // y (tokens, columns) = x (tokens, inner) times w (inner, columns)
  void by(const float* x, int64_t tokens, const float* w, int64_t inner, int64_t columns, float* y);
  // y (tokens, w.columns) = x (tokens, w.rows) times w: the bits of by() with w decoded. At most so many columns of w
  // are decoded at a time that they take 128 MB.
  void by_stored(const float* x, int64_t tokens, const WeightView& w, float* y);
  // y (a_columns, b_columns) = a (tokens, a_columns) transposed times b (tokens, b_columns)
  void transposed_by(const float* a, int64_t a_columns, const float* b, int64_t b_columns, int64_t tokens, float* y);

  // Adds x (tokens, columns) transposed times itself to the upper half of y (columns, columns), the diagonal included;
  // below it some of y is lost. Beside y: x twice, and a block per thread.
  void add_gram(const float* x, int64_t columns, int64_t tokens, float* y);

  ThreadPool& pool() { return *pool_; }
  const VectorKernels& vector() const { return *vector_; }

  // For code that runs inside of the pool, on one thread: the same kernels on a part of a matrix.
  struct Part {
    const float* x;  // (tokens, columns; x_stride)
    int64_t x_stride, tokens;
    const float* w;  // f32, (rows, columns), in the order that the function says
    int64_t rows, columns;
    float* y;  // (tokens, rows; y_stride)
    int64_t y_stride;
  };
  void rows_on_thread(const Part& part, int thread) const { run_part(part, exact_.by_rows, thread); }  // Order::rows
  void panels_on_thread(const Part& part, int thread) const {
    run_part(part, exact_.by_panels, thread);
  }                                       // Order::panel16
  void reserve_scratch(int64_t columns);  // for parts of so many columns

 private:
  Products() = default;
  void run_part(const Part& part, LinearFn kernel, int thread) const;
  void run(const LinearArgs& args, LinearFn kernel);
  // a transposed into turned_, b as panels into packed_. Result: the stride of turned_.
  int64_t turn_and_pack(const float* a, int64_t a_columns, const float* b, int64_t b_columns, int64_t tokens);

  ThreadPool* pool_ = nullptr;
  Isa isa_ = Isa::scalar;
  const VectorKernels* vector_ = nullptr;
  ExactProducts exact_;
  AlignedBuffer<float> packed_, turned_;
  mutable AlignedBuffer<std::byte> scratch_;  // one stretch per thread
  int64_t scratch_stride_ = 0;
};

// body(row) for rows [0, count) of so many floats each, over the pool when they are worth it.
template <class Body>
void for_rows(ThreadPool& pool, int64_t count, int64_t width, const Body& body) {
  constexpr int64_t kSerialFloats = 1 << 14;  // below this, a fork-join costs more than the work
  if (count * width <= kSerialFloats || pool.threads() == 1) {
    for (int64_t row = 0; row < count; ++row) body(row);
    return;
  }
  const int64_t chunk = count / (8 * pool.threads()) + 1;
  pool.parallel_for(count, chunk, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

}  // namespace halftone
