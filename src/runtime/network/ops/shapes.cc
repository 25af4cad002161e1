// SPDX-License-Identifier: Apache-2.0
#include "runtime/network/ops/shapes.h"

#include <algorithm>

#include "runtime/network/ops/types.h"

namespace halftone::network::ops {

int64_t product(std::span<const int64_t> sizes) {
  int64_t total = 1;
  if (std::ranges::find(sizes, 0) != sizes.end()) return 0;
  for (const int64_t size : sizes)
    if (__builtin_mul_overflow(total, size, &total)) return INT64_MAX;
  return total;
}

Strides strides_of(const Shape& shape) {
  Strides strides(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;)
    if (__builtin_mul_overflow(strides[axis], shape[axis], &strides[axis - 1])) strides[axis - 1] = 0;
  return strides;
}

Status need(const OpContext& context, size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (!context.input(i).present()) return invalid_input("expected {} inputs, got none in place {}", count, i + 1);
  return {};
}

void put(OpContext& context, size_t output, Tensor tensor) {
  if (output < context.outputs.size()) context.outputs[output] = std::move(tensor);
}

Status need_float(const Tensor& x) {
  if (x.type() == DType::f32 || x.type() == DType::f64) return {};
  return unsupported("expected floats, got {}", halftone::name_of(x.type()));
}

Result<int64_t> axis_of(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) return invalid_input("expected an axis of [{}, {}), got {}", -rank, rank, axis);
  return axis < 0 ? axis + rank : axis;
}

Result<std::vector<int64_t>> axes_of(std::span<const int64_t> axes, int64_t rank) {
  std::vector<int64_t> found;
  for (const int64_t axis : axes) {
    HALFTONE_ASSIGN(const int64_t normal, axis_of(axis, rank));
    if (std::ranges::find(found, normal) != found.end())
      return invalid_input("expected different axes, got {} twice", normal);
    found.push_back(normal);
  }
  return found;
}

Result<std::vector<int64_t>> integers_of(const Tensor& x, std::string_view what) {
  if (!x.present() || x.rank() > 1 || (x.type() != DType::i64 && x.type() != DType::i32))
    return invalid_input("{}: expected a list of i64 or i32, got {}", what,
                         x.present() ? std::string(halftone::name_of(x.type())) + text_of(x.shape()) : "nothing");
  std::vector<int64_t> values(static_cast<size_t>(x.elements()));
  if (x.type() == DType::i64)
    std::ranges::copy(x.values<int64_t>(), values.begin());
  else
    std::ranges::copy(x.values<int32_t>(), values.begin());
  return values;
}

Result<int64_t> integer_of(const Tensor& x, std::string_view what) {
  if (!x.present() || x.elements() != 1)
    return invalid_input("{}: expected one integer, got {}", what, x.present() ? text_of(x.shape()) : "nothing");
  HALFTONE_ASSIGN(const std::vector<int64_t> values, integers_of(x.reshaped({1}), what));
  return values[0];
}

Result<double> number_of(const Tensor& x, std::string_view what) {
  if (!x.present() || x.elements() != 1)
    return invalid_input("{}: expected one number, got {}", what, x.present() ? text_of(x.shape()) : "nothing");
  HALFTONE_ASSIGN(const Tensor wide, convert(x, DType::f64));
  return wide.values<double>()[0];
}

Result<Shape> shape_of(const Tensor& x, std::string_view what) {
  HALFTONE_ASSIGN(Shape shape, integers_of(x, what));
  for (const int64_t size : shape)
    if (size < 0) return invalid_input("{}: expected sizes, got {}", what, text_of(shape));
  return shape;
}

Result<Shape> broadcast(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  const size_t missing = longer.size() - shorter.size();
  Shape both = longer;
  for (size_t i = 0; i < shorter.size(); ++i) {
    int64_t& size = both[missing + i];
    if (size == 1) size = shorter[i];
    if (size != shorter[i] && shorter[i] != 1)
      return invalid_input("expected shapes that broadcast, got {} and {}", text_of(a), text_of(b));
  }
  return both;
}

Strides broadcast_strides(const Shape& from, const Shape& to) {
  const Strides dense = strides_of(from);
  Strides strides(to.size(), 0);
  const size_t missing = to.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i) strides[missing + i] = from[i] == 1 ? 0 : dense[i];
  return strides;
}

Status need_broadcast(const Tensor& from, const Shape& to, std::string_view what) {
  const Result<Shape> both = broadcast(from.shape(), to);
  if (both.ok() && *both == to) return {};
  return invalid_input("{}: expected a shape that broadcasts to {}, got {}", what, text_of(to), text_of(from.shape()));
}

}  // namespace halftone::network::ops
