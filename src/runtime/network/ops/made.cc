// SPDX-License-Identifier: Apache-2.0
// Tensors made from shapes and indices.
#include <cmath>
#include <cstring>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/rows.h"
#include "runtime/network/ops/types.h"

namespace halftone::network::ops {
namespace {

__extension__ using Integer128 = __int128;

}  // namespace

Status run(const ShapeOf& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  const auto bounded = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + x.rank() : at, 0, x.rank()); };
  const int64_t begin = bounded(op.start), end = std::max(bounded(op.end), begin);
  const std::span<const int64_t> sizes(x.shape().data() + begin, static_cast<size_t>(end - begin));
  put(context, 0, Tensor::of<int64_t>(DType::i64, {end - begin}, sizes));
  return {};
}

Status run(const SizeOf&, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  put(context, 0, Tensor::of<int64_t>(DType::i64, {}, std::array{context.input(0).elements()}));
  return {};
}

Status run(const ConstantOfShape&, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor& value = context.input(1);
  HALFTONE_ASSIGN(Shape shape, shape_of(context.input(0), "shape"));
  if (value.elements() != 1) return invalid_input("value: expected one number, got {}", text_of(value.shape()));
  HALFTONE_ASSIGN(Tensor y, Tensor::make(value.type(), std::move(shape)));
  HALFTONE_TRY(with_size(value.type(), [&](auto type) -> Status {
    using T = decltype(type);
    std::fill(mutable_data<T>(y), mutable_data<T>(y) + y.elements(), *data<T>(value));
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

Status run(const Range&, OpContext& context) {
  HALFTONE_TRY(need(context, 3));
  const Tensor &start = context.input(0), &limit = context.input(1), &step = context.input(2);
  for (size_t i = 0; i < 3; ++i)
    if (context.input(i).elements() != 1 || context.input(i).type() != start.type())
      return invalid_input("expected three numbers of one type, got {} of {}", text_of(context.input(i).shape()),
                           halftone::name_of(context.input(i).type()));
  return with_numbers(start.type(), [&](auto type) -> Status {
    using T = decltype(type);
    const T first = *data<T>(start), last = *data<T>(limit), by = *data<T>(step);
    if (by == 0) return invalid_input("step: expected another number than 0");
    double count;
    if constexpr (std::is_integral_v<T>) {
      // Differences of 64-bit integers fit 128 bits.
      const auto way = static_cast<Integer128>(last) - first;
      const Integer128 stride = by;
      const Integer128 steps = stride > 0 ? (way + stride - 1) / stride : (way + stride + 1) / stride;
      count = static_cast<double>(steps);
    } else {
      count = std::ceil(static_cast<double>(last - first) / static_cast<double>(by));
    }
    if (!(count <= 0x1p40)) return exhausted("expected a range of at most 2^40 numbers, got {}", count);
    HALFTONE_ASSIGN(Tensor y, Tensor::make(start.type(), {static_cast<int64_t>(std::max(count, 0.0))}));
    using U = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
    for (int64_t i = 0; i < y.elements(); ++i) mutable_data<T>(y)[i] = static_cast<T>(U(first) + U(i) * U(by));
    put(context, 0, std::move(y));
    return {};
  });
}

Status run(const OneHot& op, OpContext& context) {
  HALFTONE_TRY(need(context, 3));
  const Tensor &indices = context.input(0), &values = context.input(2);
  HALFTONE_ASSIGN(const double depth_number, number_of(context.input(1), "depth"));
  if (!(depth_number >= 0 && depth_number <= INT32_MAX) || values.elements() != 2)
    return invalid_input("expected a depth and two values, got {} and {}", depth_number, text_of(values.shape()));
  const auto depth = static_cast<int64_t>(depth_number);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.axis, indices.rank() + 1));
  Shape shape = indices.shape();
  shape.insert(shape.begin() + axis, depth);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(values.type(), shape));
  HALFTONE_ASSIGN(const Tensor places, convert(indices, DType::i64));
  const Rows rows = rows_along(shape, axis);
  return with_size(values.type(), [&](auto type) -> Status {
    using T = decltype(type);
    std::fill(mutable_data<T>(y), mutable_data<T>(y) + y.elements(), data<T>(values)[0]);
    for (int64_t i = 0; i < indices.elements(); ++i) {
      int64_t place = data<int64_t>(places)[i];
      if (place < 0) place += depth;
      if (place < 0 || place >= depth) continue;  // such a row is off throughout
      mutable_data<T>(y)[rows.begin(i) + place * rows.inner] = data<T>(values)[1];
    }
    put(context, 0, std::move(y));
    return {};
  });
}

Status run(const NonZero&, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(const Tensor set, convert(x, DType::boolean));
  std::vector<int64_t> places;
  for (int64_t i = 0; i < x.elements(); ++i)
    if (data<bool>(set)[i]) places.push_back(i);
  const auto count = static_cast<int64_t>(places.size());
  HALFTONE_ASSIGN(Tensor y, Tensor::make(DType::i64, {x.rank(), count}));
  for (int64_t k = 0; k < count; ++k) {
    int64_t rest = places[static_cast<size_t>(k)];
    for (int64_t axis = x.rank(); axis-- > 0;) {
      mutable_data<int64_t>(y)[axis * count + k] = rest % x.dim(axis);
      rest /= x.dim(axis);
    }
  }
  put(context, 0, std::move(y));
  return {};
}

Status run(const EyeLike& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  if (x.rank() != 2) return invalid_input("expected a matrix, got {}", text_of(x.shape()));
  HALFTONE_ASSIGN(Tensor bits, Tensor::make(DType::boolean, x.shape()));
  for (int64_t i = 0; i < x.elements(); ++i) mutable_data<bool>(bits)[i] = i % x.dim(1) - i / x.dim(1) == op.k;
  HALFTONE_ASSIGN(Tensor y, convert(bits, op.type));
  put(context, 0, std::move(y));
  return {};
}

Status run(const Triangle& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  if (x.rank() < 2) return invalid_input("expected matrices, got {}", text_of(x.shape()));
  int64_t k = 0;
  if (context.input(1).present()) {
    HALFTONE_ASSIGN(k, integer_of(context.input(1), "k"));
  }
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  const int64_t columns = x.dim(x.rank() - 1), rows = x.dim(x.rank() - 2);
  HALFTONE_TRY(with_size(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    for (int64_t i = 0; i < x.elements(); ++i) {
      const int64_t diagonal = i % columns - i / columns % rows;
      const bool kept = op.upper ? diagonal >= k : diagonal <= k;
      mutable_data<T>(y)[i] = kept ? data<T>(x)[i] : T(0);
    }
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
