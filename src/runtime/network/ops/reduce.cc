// SPDX-License-Identifier: Apache-2.0
// Sums, extremes and the like over any axes.
#include <cmath>
#include <limits>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/shapes.h"
#include "runtime/network/ops/types.h"
#include "runtime/network/ops/walk.h"

namespace halftone::network::ops {
namespace {

// Floats are summed in double, integers wrap.
template <class T>
using Sum = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;

template <class T>
T lowest() {
  return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
}
template <class T>
T highest() {
  return std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
}

// Calls body(value) for a run of numbers.
template <class T, class Body>
void over(const T* x, int64_t step, int64_t count, Body body) {
  for (int64_t i = 0; i < count; ++i) body(x[i * step]);
}

// Takes the runs of one result, then gives it.
template <class T>
class Fold {
 public:
  explicit Fold(ReduceKind kind) : kind_(kind) {
    if (kind == ReduceKind::product || kind == ReduceKind::all) sum_ = 1;
    extreme_ = kind == ReduceKind::min ? highest<T>() : lowest<T>();
  }

  void add(const T* x, int64_t step, int64_t count) {
    switch (kind_) {
      case ReduceKind::sum:
      case ReduceKind::mean:
      case ReduceKind::log_sum:
        return over(x, step, count, [&](T v) { sum_ += static_cast<Sum<T>>(v); });
      case ReduceKind::l1:
        return over(x, step, count, [&](T v) { sum_ += v < 0 ? -static_cast<Sum<T>>(v) : static_cast<Sum<T>>(v); });
      case ReduceKind::l2:
      case ReduceKind::sum_square:
        return over(x, step, count, [&](T v) { sum_ += static_cast<Sum<T>>(v) * static_cast<Sum<T>>(v); });
      case ReduceKind::product:
        return over(x, step, count, [&](T v) { sum_ *= static_cast<Sum<T>>(v); });
      case ReduceKind::max:
        return over(x, step, count, [&](T v) { extreme_ = v > extreme_ || v != v ? v : extreme_; });
      case ReduceKind::min:
        return over(x, step, count, [&](T v) { extreme_ = v < extreme_ || v != v ? v : extreme_; });
      case ReduceKind::all:
        return over(x, step, count, [&](T v) { sum_ = sum_ != 0 && v != 0; });
      case ReduceKind::any:
        return over(x, step, count, [&](T v) { sum_ = sum_ != 0 || v != 0; });
      case ReduceKind::log_sum_exp:
        return over(x, step, count, [&](T v) { add_exponential(static_cast<double>(v)); });
    }
  }

  T result(int64_t count) const {
    if (kind_ == ReduceKind::max || kind_ == ReduceKind::min) return extreme_;
    if (kind_ == ReduceKind::log_sum_exp) return static_cast<T>(std::log(scaled_) + (scaled_ == 0 ? 0 : top_));
    if constexpr (std::is_floating_point_v<T>) {
      if (kind_ == ReduceKind::mean) return static_cast<T>(sum_ / static_cast<double>(count));
    } else {
      if (kind_ == ReduceKind::mean) return count == 0 ? T(0) : static_cast<T>(sum_) / static_cast<T>(count);
    }
    const auto number = static_cast<double>(static_cast<T>(sum_));
    if (kind_ == ReduceKind::l2)
      return static_cast<T>(std::sqrt(std::is_floating_point_v<T> ? static_cast<double>(sum_) : number));
    if (kind_ == ReduceKind::log_sum)
      return static_cast<T>(std::log(std::is_floating_point_v<T> ? static_cast<double>(sum_) : number));
    return static_cast<T>(sum_);
  }

 private:
  // log(sum exp v) = top + log(sum exp(v - top)), in one pass.
  void add_exponential(double v) {
    if (v <= top_) {
      scaled_ += v == top_ ? 1 : std::exp(v - top_);
    } else {
      scaled_ = (scaled_ == 0 ? 0 : scaled_ * std::exp(top_ - v)) + 1;
      top_ = v;
    }
  }

  ReduceKind kind_;
  Sum<T> sum_ = 0;
  T extreme_;
  double top_ = -std::numeric_limits<double>::infinity(), scaled_ = 0;
};

struct Split2 {
  Shape kept, reduced;
  Strides kept_strides, reduced_strides;
};

template <class T>
void reduce_all(const Split2& split, ReduceKind kind, const T* x, T* y, ThreadPool& pool) {
  const Walk outer(split.kept, split.kept_strides), inner(split.reduced, split.reduced_strides);
  const int64_t count = inner.elements();
  pool.parallel_for(outer.elements(), 1 + (1 << 14) / (count + 1), [&](int64_t begin, int64_t end, int) {
    outer.run(begin, end, [&](const Walk::Offsets& at, int64_t position, int64_t run) {
      for (int64_t i = 0; i < run; ++i) {
        Fold<T> fold(kind);
        const T* from = x + at[0] + i * outer.step(0);
        inner.run([&](const Walk::Offsets& in, int64_t, int64_t n) { fold.add(from + in[0], inner.step(0), n); });
        y[position + i] = fold.result(count);
      }
    });
  });
}

}  // namespace

Status run(const Reduce& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  std::vector<int64_t> axes;
  if (context.input(1).present()) {
    HALFTONE_ASSIGN(axes, integers_of(context.input(1), "axes"));
    HALFTONE_ASSIGN(axes, axes_of(axes, x.rank()));
  }
  const bool every = axes.empty() && !op.keep_empty;
  Split2 split;
  Shape shape;
  const Strides strides = strides_of(x.shape());
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    const auto i = static_cast<size_t>(axis);
    const bool goes = every || std::ranges::find(axes, axis) != axes.end();
    (goes ? split.reduced : split.kept).push_back(x.dim(axis));
    (goes ? split.reduced_strides : split.kept_strides).push_back(strides[i]);
    if (!goes || op.keep_dims) shape.push_back(goes ? 1 : x.dim(axis));
  }
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), shape));
  const bool extreme = op.kind == ReduceKind::max || op.kind == ReduceKind::min;
  HALFTONE_TRY(with_numbers(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    if (std::is_integral_v<T> && extreme && product(split.reduced) == 0 && y.elements() > 0)
      return invalid_input("expected integers to compare, got none: {}", text_of(x.shape()));
    reduce_all(split, op.kind, data<T>(x), mutable_data<T>(y), context.pool);
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
