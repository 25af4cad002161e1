// SPDX-License-Identifier: Apache-2.0
// Products of matrices.
#include "runtime/network/ops/float_conv.h"
#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/packed.h"
#include "runtime/network/ops/shapes.h"
#include "runtime/network/ops/types.h"
#include "runtime/network/ops/walk.h"

namespace halftone::network::ops {
namespace {

constexpr int64_t kProductRows = 4;

// Stacks of matrices; a stride of 0 repeats one.
struct Product {
  int64_t m = 1, n = 1, k = 1;
  Shape batch;               // broadcast
  Strides batch_a, batch_b;  // in elements
  int64_t row_a = 0, column_a = 0, row_b = 0, column_b = 0;
  bool single_b = false;  // one b for all
  Shape y;
};

Result<Product> product_of(const Shape& a, const Shape& b, bool transpose_a, bool transpose_b) {
  Shape of_a = a, of_b = b;
  if (of_a.empty() || of_b.empty())
    return invalid_input("expected matrices or vectors, got {} and {}", text_of(of_a), text_of(of_b));
  const bool row = of_a.size() == 1, column = of_b.size() == 1;
  if (row) of_a.insert(of_a.begin(), 1);
  if (column) of_b.push_back(1);
  transpose_a = transpose_a && !row;
  transpose_b = transpose_b && !column;
  const size_t rank_a = of_a.size(), rank_b = of_b.size();
  Product p;
  p.m = of_a[rank_a - (transpose_a ? 1 : 2)];
  p.k = of_a[rank_a - (transpose_a ? 2 : 1)];
  p.n = of_b[rank_b - (transpose_b ? 2 : 1)];
  if (of_b[rank_b - (transpose_b ? 1 : 2)] != p.k)
    return invalid_input("expected as many columns of a as rows of b, got {} and {}", text_of(a), text_of(b));
  const Shape stack_a(of_a.begin(), of_a.end() - 2), stack_b(of_b.begin(), of_b.end() - 2);
  HALFTONE_ASSIGN(p.batch, broadcast(stack_a, stack_b));
  p.batch_a = broadcast_strides(stack_a, p.batch);
  p.batch_b = broadcast_strides(stack_b, p.batch);
  for (int64_t& stride : p.batch_a) stride *= p.m * p.k;
  for (int64_t& stride : p.batch_b) stride *= p.k * p.n;
  p.row_a = transpose_a ? 1 : p.k;
  p.column_a = transpose_a ? p.m : 1;
  p.row_b = transpose_b ? 1 : p.n;
  p.column_b = transpose_b ? p.k : 1;
  p.single_b = stack_b.empty() || product(stack_b) == 1;
  p.y = p.batch;
  if (!row) p.y.push_back(p.m);
  if (!column) p.y.push_back(p.n);
  return p;
}

// One row of y: columns side by side, each summed over k in order.
template <class T>
void multiply_row(const Product& p, const T* a, const T* b, T* y) {
  if (p.column_b != 1) {
    for (int64_t n = 0; n < p.n; ++n) {
      T sum = 0;
      for (int64_t k = 0; k < p.k; ++k) sum += a[k * p.column_a] * b[n * p.column_b + k * p.row_b];
      y[n] = sum;
    }
    return;
  }
  std::fill(y, y + p.n, T(0));
  for (int64_t k = 0; k < p.k; ++k) {
    const T value = a[k * p.column_a];
    const T* row = b + k * p.row_b;
    for (int64_t n = 0; n < p.n; ++n) y[n] += value * row[n];
  }
}

template <class T>
void multiply(const Product& p, const T* a, const T* b, T* y, OpContext& context) {
  if (product(p.y) == 0) return;
  const Walk walk(p.batch, p.batch_a, p.batch_b);
  walk.run([&](const Walk::Offsets& at, int64_t position, int64_t count) {
    if constexpr (std::is_same_v<T, float>) {
      if (p.column_a == 1) {
        for (int64_t i = 0; i < count; ++i)
          float_product({p.m, p.n, p.k, a + at[0] + i * walk.step(0), b + at[1] + i * walk.step(1), p.row_a, p.row_b,
                         p.column_b, y + (position + i) * p.m * p.n, p.single_b},
                        context);
        return;
      }
    }
    context.pool.parallel_for(count * p.m, kProductRows, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t stack = i / p.m, m = i % p.m;
        multiply_row(p, a + at[0] + stack * walk.step(0) + m * p.row_a, b + at[1] + stack * walk.step(1),
                     y + ((position + stack) * p.m + m) * p.n);
      }
    });
  });
}

// Integers are summed as unsigned ones, which wrap.
template <class T>
using Wrapping = std::conditional_t<std::is_integral_v<T>,
                                    std::make_unsigned_t<std::conditional_t<std::is_integral_v<T>, T, int>>, T>;

// REQUIRES: takes_packed() of the node.
Result<Tensor> times_packed(const Tensor& a, const PackedInput& packed, OpContext& context) {
  if (a.type() != DType::f32)
    return invalid_input("expected an input of f32 before packed weights, got {}", halftone::name_of(a.type()));
  HALFTONE_ASSIGN(const Product p, product_of(a.shape(), packed.constant.shape, false, true));
  HALFTONE_ASSIGN(Tensor y, Tensor::make(DType::f32, p.y));
  if (y.elements() > 0)
    packed_product(packed, {product(p.batch) * p.m, data<float>(a), p.k}, {}, mutable_data<float>(y), context);
  return y;
}

Result<Tensor> matrix_product(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b,
                              OpContext& context) {
  if (context.packed != nullptr) return times_packed(a, *context.packed, context);
  if (a.type() != b.type())
    return invalid_input("expected two inputs of one type, got {} and {}", halftone::name_of(a.type()),
                         halftone::name_of(b.type()));
  HALFTONE_ASSIGN(const Product p, product_of(a.shape(), b.shape(), transpose_a, transpose_b));
  HALFTONE_ASSIGN(Tensor y, Tensor::make(a.type(), p.y));
  HALFTONE_TRY(with_numbers(a.type(), [&](auto type) -> Status {
    using T = Wrapping<decltype(type)>;
    multiply(p, data<T>(a), data<T>(b), mutable_data<T>(y), context);
    return {};
  }));
  return y;
}

// 8-bit numbers less their zero point: one, or one for every line of `axis`, counted from the end.
Result<Tensor> centered_matrix(const Tensor& x, const Tensor& zero, size_t axis, std::string_view what) {
  if (x.type() != DType::u8 && x.type() != DType::i8)
    return unsupported("{}: expected i8 or u8, got {}", what, halftone::name_of(x.type()));
  HALFTONE_ASSIGN(Tensor numbers, convert(x, DType::i32));
  if (!zero.present()) return numbers;
  const auto rank = static_cast<size_t>(x.rank());
  Shape lines = zero.shape();
  if (zero.rank() == 1 && zero.elements() != 1 && axis == 2) lines.push_back(1);
  const Tensor points = zero.elements() == 1 ? zero.reshaped({}) : zero.reshaped(lines);
  if (zero.type() != x.type() || points.rank() > static_cast<int64_t>(rank))
    return invalid_input("zero point of {}: expected {} of at most {} axes, got {} of {}", what,
                         halftone::name_of(x.type()), rank, text_of(zero.shape()), halftone::name_of(zero.type()));
  HALFTONE_TRY(need_broadcast(points, x.shape(), "zero point"));
  HALFTONE_ASSIGN(const Tensor values, convert(points, DType::i32));
  const Walk walk(x.shape(), broadcast_strides(points.shape(), x.shape()));
  auto* to = mutable_data<int32_t>(numbers);
  walk.run([&](const Walk::Offsets& at, int64_t position, int64_t count) {
    for (int64_t i = 0; i < count; ++i) to[position + i] -= data<int32_t>(values)[at[0] + i * walk.step(0)];
  });
  return numbers;
}

}  // namespace

Status run(const MatMul& op, OpContext& context) {
  HALFTONE_TRY(need(context, context.packed == nullptr ? 2 : 1));
  HALFTONE_ASSIGN(Tensor y,
                  matrix_product(context.input(0), context.input(1), op.transpose_a, op.transpose_b, context));
  put(context, 0, std::move(y));
  return {};
}

Status run(const Gemm& op, OpContext& context) {
  HALFTONE_TRY(need(context, context.packed == nullptr ? 2 : 1));
  const Tensor &a = context.input(0), &b = context.input(1), &c = context.input(2);
  if (a.rank() != 2 || (context.packed == nullptr && b.rank() != 2))
    return invalid_input("expected two matrices, got {} and {}", text_of(a.shape()), text_of(b.shape()));
  HALFTONE_ASSIGN(Tensor y, matrix_product(a, b, op.transpose_a, op.transpose_b, context));
  if (c.present()) {
    if (c.type() != a.type())
      return invalid_input("c: expected {}, got {}", halftone::name_of(a.type()), halftone::name_of(c.type()));
    HALFTONE_TRY(need_broadcast(c, y.shape(), "c"));
  }
  const Walk walk(y.shape(), c.present() ? broadcast_strides(c.shape(), y.shape()) : Strides(2, 0));
  HALFTONE_TRY(with_numbers(y.type(), [&](auto type) -> Status {
    using T = Wrapping<decltype(type)>;
    const auto scaled = [](T value, float scale) {
      if constexpr (std::is_integral_v<T>)
        return scale == 1 ? value : static_cast<T>(static_cast<int64_t>(scale) * static_cast<int64_t>(value));
      else
        return value * static_cast<T>(scale);
    };
    T* to = mutable_data<T>(y);
    walk.run([&](const Walk::Offsets& at, int64_t position, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        T& value = to[position + i];
        value = scaled(value, op.alpha);
        if (c.present()) value += scaled(data<T>(c)[at[0] + i * walk.step(0)], op.beta);
      }
    });
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

Status run(const IntegerMatMul&, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  HALFTONE_ASSIGN(const Tensor a, centered_matrix(context.input(0), context.input(2), 2, "a"));
  HALFTONE_ASSIGN(const Tensor b, centered_matrix(context.input(1), context.input(3), 1, "b"));
  HALFTONE_ASSIGN(const Product p, product_of(a.shape(), b.shape(), false, false));
  HALFTONE_ASSIGN(Tensor y, Tensor::make(DType::i32, p.y));
  multiply(p, data<uint32_t>(a), data<uint32_t>(b), mutable_data<uint32_t>(y), context);
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
