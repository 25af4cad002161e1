// SPDX-License-Identifier: Apache-2.0
// What looks at one row along an axis: softmax, the place of the extreme, running sums, the largest k.
#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/rows.h"
#include "runtime/network/ops/types.h"

namespace halftone::network::ops {
namespace {

constexpr int64_t kRowChunk = 16;

template <class T>
void softmax_row(SoftmaxKind kind, const T* x, T* y, int64_t length, int64_t step) {
  T top = x[0];
  int64_t where = 0;
  for (int64_t i = 1; i < length; ++i) {
    if (!(x[i * step] > top)) continue;
    top = x[i * step];
    where = i;
  }
  if (kind == SoftmaxKind::hard) {
    for (int64_t i = 0; i < length; ++i) y[i * step] = i == where ? T(1) : T(0);
    return;
  }
  double sum = 0;
  for (int64_t i = 0; i < length; ++i) {
    const T e = std::exp(x[i * step] - top);
    y[i * step] = e;
    sum += static_cast<double>(e);
  }
  const T log_sum = static_cast<T>(std::log(sum));
  for (int64_t i = 0; i < length; ++i)
    y[i * step] =
        kind == SoftmaxKind::log ? x[i * step] - top - log_sum : static_cast<T>(static_cast<double>(y[i * step]) / sum);
}

// The better of two places of a row: a NaN is the greatest, then the place decides.
template <class T>
bool before(T a, T b, bool largest) {
  if (a != a || b != b) return a != a && b == b;
  return largest ? a > b : a < b;
}

}  // namespace

Status run(const Softmax& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.axis, std::max<int64_t>(x.rank(), 1)));
  const Rows rows = x.rank() == 0 ? Rows{1, 1, 1} : rows_along(x.shape(), axis, op.flat ? x.rank() - axis : 1);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  HALFTONE_TRY(with_floats(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    if (y.elements() == 0) return {};
    context.pool.parallel_for(rows.count(), kRowChunk, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row)
        softmax_row(op.kind, data<T>(x) + rows.begin(row), mutable_data<T>(y) + rows.begin(row), rows.length,
                    rows.inner);
    });
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

Status run(const ArgReduce& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.axis, x.rank()));
  const Rows rows = rows_along(x.shape(), axis);
  Shape shape = x.shape();
  if (op.keep_dims)
    shape[static_cast<size_t>(axis)] = 1;
  else
    shape.erase(shape.begin() + axis);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(DType::i64, shape));
  if (rows.length == 0 && y.elements() > 0)
    return invalid_input("expected numbers along axis {}, got none: {}", axis, text_of(x.shape()));
  HALFTONE_TRY(with_numbers(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    for (int64_t row = 0; row < y.elements(); ++row) {
      const T* from = data<T>(x) + rows.begin(row);
      int64_t best = 0;
      for (int64_t i = 1; i < rows.length; ++i) {
        const T value = from[i * rows.inner], top = from[best * rows.inner];
        if (before(value, top, op.max) || (op.last && value == top)) best = i;
      }
      mutable_data<int64_t>(y)[row] = best;
    }
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

Status run(const Cumulate& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(int64_t axis, integer_of(context.input(1), "axis"));
  HALFTONE_ASSIGN(axis, axis_of(axis, x.rank()));
  const Rows rows = rows_along(x.shape(), axis);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  HALFTONE_TRY(with_numbers(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    using U = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
    for (int64_t row = 0; x.elements() > 0 && row < rows.count(); ++row) {
      U total = op.product ? 1 : 0;
      for (int64_t i = 0; i < rows.length; ++i) {
        const int64_t at = rows.begin(row) + (op.reverse ? rows.length - 1 - i : i) * rows.inner;
        const U value = static_cast<U>(data<T>(x)[at]), earlier = total;
        total = op.product ? total * value : total + value;
        mutable_data<T>(y)[at] = static_cast<T>(op.exclusive ? earlier : total);
      }
    }
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

Status run(const TopK& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.axis, x.rank()));
  HALFTONE_ASSIGN(const int64_t k, integer_of(context.input(1), "k"));
  const Rows rows = rows_along(x.shape(), axis);
  if (k < 0 || k > rows.length) return invalid_input("k: expected [0, {}], got {}", rows.length, k);
  Shape shape = x.shape();
  shape[static_cast<size_t>(axis)] = k;
  HALFTONE_ASSIGN(Tensor values, Tensor::make(x.type(), shape));
  HALFTONE_ASSIGN(Tensor indices, Tensor::make(DType::i64, shape));
  HALFTONE_TRY(with_numbers(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    std::vector<int64_t> order(static_cast<size_t>(rows.length));
    for (int64_t row = 0; values.elements() > 0 && row < rows.count(); ++row) {
      const T* from = data<T>(x) + rows.begin(row);
      std::iota(order.begin(), order.end(), 0);
      std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t i, int64_t j) {
        const T a = from[i * rows.inner], b = from[j * rows.inner];
        return before(a, b, op.largest) || (!before(b, a, op.largest) && i < j);
      });
      const int64_t to = row / rows.inner * k * rows.inner + row % rows.inner;
      for (int64_t i = 0; i < k; ++i) {
        const int64_t place = order[static_cast<size_t>(i)];
        mutable_data<T>(values)[to + i * rows.inner] = from[place * rows.inner];
        mutable_data<int64_t>(indices)[to + i * rows.inner] = place;
      }
    }
    return {};
  }));
  put(context, 0, std::move(values));
  put(context, 1, std::move(indices));
  return {};
}

}  // namespace halftone::network::ops
