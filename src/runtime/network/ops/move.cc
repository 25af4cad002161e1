// SPDX-License-Identifier: Apache-2.0
// Shapes that change and axes that move.
#include "runtime/network/ops/move.h"

#include <cstring>
#include <numeric>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/rows.h"
#include "runtime/network/ops/types.h"
#include "runtime/network/ops/walk.h"

namespace halftone::network::ops {
namespace {

Status put_reshaped(OpContext& context, Shape shape) {
  const Tensor& x = context.input(0);
  if (product(shape) != x.elements())
    return invalid_input("expected a shape of {} numbers, got {} for {}", x.elements(), text_of(shape),
                         text_of(x.shape()));
  put(context, 0, x.reshaped(std::move(shape)));
  return {};
}

}  // namespace

Result<Tensor> gather_view(const Tensor& x, const Shape& shape, const Strides& strides, int64_t offset) {
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), shape));
  const Walk walk(shape, strides);
  HALFTONE_TRY(with_size(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    const int64_t step = walk.step(0);
    walk.run([&](const Walk::Offsets& at, int64_t position, int64_t count) {
      const T* from = data<T>(x) + offset + at[0];
      T* to = mutable_data<T>(y) + position;
      if (step == 1) {
        std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
      } else {
        for (int64_t i = 0; i < count; ++i) to[i] = from[i * step];
      }
    });
    return {};
  }));
  return y;
}

Result<Tensor> take(const Tensor& x, const std::vector<std::vector<int64_t>>& maps, const Tensor& fill) {
  Shape shape;
  for (const auto& map : maps) shape.push_back(static_cast<int64_t>(map.size()));
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), shape));
  if (y.elements() == 0) return y;
  if (maps.empty()) return x;
  const Strides strides = strides_of(x.shape());
  const std::vector<int64_t>& last = maps.back();
  const auto length = static_cast<int64_t>(last.size());
  HALFTONE_TRY(with_size(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    const T nothing = fill.present() ? *data<T>(fill) : T(0);
    T* to = mutable_data<T>(y);
    for (int64_t row = 0; row < y.elements() / length; ++row, to += length) {
      int64_t rest = row, offset = 0;
      bool inside = true;
      for (size_t axis = maps.size() - 1; axis-- > 0;) {
        const int64_t index = maps[axis][static_cast<size_t>(rest % shape[axis])];
        rest /= shape[axis];
        inside = inside && index >= 0;
        offset += index * strides[axis];
      }
      if (!inside) {
        std::fill(to, to + length, nothing);
        continue;
      }
      for (int64_t i = 0; i < length; ++i) {
        const int64_t index = last[static_cast<size_t>(i)];
        to[i] = index >= 0 ? data<T>(x)[offset + index] : nothing;
      }
    }
    return {};
  }));
  return y;
}

Status run(const Reshape& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(Shape shape, integers_of(context.input(1), "shape"));
  constexpr size_t kNone = SIZE_MAX;
  size_t open = kNone;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 0 && !op.allow_zero) {
      if (axis >= x.shape().size())
        return invalid_input("shape: expected a size for axis {}, which {} lacks, got 0", axis, text_of(x.shape()));
      shape[axis] = x.shape()[axis];
    } else if (shape[axis] < 0) {
      if (shape[axis] != -1 || open != kNone)
        return invalid_input("shape: expected sizes and at most one -1, got {}", text_of(shape));
      open = axis;
    }
  }
  if (open != kNone) {
    shape[open] = 1;
    const int64_t rest = product(shape);
    if (rest == 0 || x.elements() % rest != 0)
      return invalid_input("shape: expected sizes that divide {} numbers, got {} beside the -1", x.elements(), rest);
    shape[open] = x.elements() / rest;
  }
  return put_reshaped(context, std::move(shape));
}

Status run(const Flatten& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Shape& shape = context.input(0).shape();
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t axis = op.axis < 0 ? op.axis + rank : op.axis;
  if (axis < 0 || axis > rank) return invalid_input("expected an axis of [{}, {}], got {}", -rank, rank, op.axis);
  const std::span<const int64_t> all(shape);
  const auto a = static_cast<size_t>(axis);
  return put_reshaped(context, {product(all.first(a)), product(all.subspan(a))});
}

Status run(const Squeeze&, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Shape& from = context.input(0).shape();
  std::vector<int64_t> axes;
  if (context.input(1).present()) {
    HALFTONE_ASSIGN(axes, integers_of(context.input(1), "axes"));
    HALFTONE_ASSIGN(axes, axes_of(axes, context.input(0).rank()));
  }
  Shape shape;
  for (size_t axis = 0; axis < from.size(); ++axis) {
    const bool named = std::ranges::find(axes, static_cast<int64_t>(axis)) != axes.end();
    if (named && from[axis] != 1) return invalid_input("expected axis {} of size 1, got {}", axis, text_of(from));
    if (!(context.input(1).present() ? named : from[axis] == 1)) shape.push_back(from[axis]);
  }
  return put_reshaped(context, std::move(shape));
}

Status run(const Unsqueeze&, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Shape& from = context.input(0).shape();
  HALFTONE_ASSIGN(std::vector<int64_t> axes, integers_of(context.input(1), "axes"));
  HALFTONE_ASSIGN(axes, axes_of(axes, static_cast<int64_t>(from.size() + axes.size())));
  Shape shape(from.size() + axes.size(), 0);
  for (const int64_t axis : axes) shape[static_cast<size_t>(axis)] = 1;
  size_t next = 0;
  for (size_t axis = 0; axis < shape.size(); ++axis)
    if (std::ranges::find(axes, static_cast<int64_t>(axis)) == axes.end()) shape[axis] = from[next++];
  return put_reshaped(context, std::move(shape));
}

Status run(const Transpose& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  std::vector<int64_t> order = op.order;
  if (order.empty()) {
    order.resize(x.shape().size());
    std::iota(order.rbegin(), order.rend(), 0);
  }
  HALFTONE_ASSIGN(order, axes_of(order, x.rank()));
  if (order.size() != x.shape().size()) return invalid_input("order: expected {} axes, got {}", x.rank(), order.size());
  const Strides dense = strides_of(x.shape());
  Shape shape;
  Strides strides;
  for (const int64_t axis : order) {
    shape.push_back(x.dim(axis));
    strides.push_back(dense[static_cast<size_t>(axis)]);
  }
  HALFTONE_ASSIGN(Tensor y, gather_view(x, shape, strides));
  put(context, 0, std::move(y));
  return {};
}

Status run(const Concat& op, OpContext& context) {
  HALFTONE_TRY(need(context, std::max<size_t>(context.inputs.size(), 1)));
  const Tensor& first = context.input(0);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.axis, first.rank()));
  const auto a = static_cast<size_t>(axis);
  Shape shape = first.shape();
  shape[a] = 0;
  for (const Tensor& x : context.inputs) {
    Shape other = x.shape();
    if (other.size() == shape.size()) other[a] = shape[a];
    if (x.type() != first.type() || other != shape)
      return invalid_input("expected {} that differ from {} in axis {} alone, got {} of {}",
                           halftone::name_of(first.type()), text_of(first.shape()), axis, halftone::name_of(x.type()),
                           text_of(x.shape()));
    if (__builtin_add_overflow(shape[a], x.dim(axis), &shape[a])) return exhausted("expected sizes that add up");
  }
  HALFTONE_ASSIGN(Tensor y, Tensor::make(first.type(), shape));
  const Rows all = rows_along(shape, axis);
  const int64_t size = bytes_of(first.type());
  int64_t at = 0;
  for (const Tensor& x : context.inputs) {
    const int64_t bytes = y.elements() == 0 ? 0 : x.dim(axis) * all.inner * size;
    for (int64_t outer = 0; bytes > 0 && outer < all.outer; ++outer)
      std::memcpy(y.mutable_bytes().data() + (outer * all.length * all.inner * size + at),
                  x.bytes().data() + outer * bytes, static_cast<size_t>(bytes));
    at += bytes;
  }
  put(context, 0, std::move(y));
  return {};
}

Status run(const Split& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.axis, x.rank()));
  const int64_t length = x.dim(axis);
  const auto parts = static_cast<int64_t>(context.outputs.size());
  std::vector<int64_t> sizes;
  if (context.input(1).present()) {
    HALFTONE_ASSIGN(sizes, shape_of(context.input(1), "sizes"));
  } else if (parts > 0) {
    const int64_t part = (length + parts - 1) / parts;
    for (int64_t i = 0; i < parts; ++i) sizes.push_back(std::max<int64_t>(std::min(part, length - i * part), 0));
  }
  int64_t rest = length;
  for (const int64_t size : sizes) rest = size <= rest && rest >= 0 ? rest - size : -1;
  if (static_cast<int64_t>(sizes.size()) != parts || rest != 0)
    return invalid_input("sizes: expected {} that add up to {}, got {}", parts, length, text_of(sizes));
  int64_t begin = 0;
  const Strides strides = strides_of(x.shape());
  for (size_t i = 0; i < sizes.size(); ++i) {
    Shape shape = x.shape();
    shape[static_cast<size_t>(axis)] = sizes[i];
    HALFTONE_ASSIGN(Tensor y, gather_view(x, shape, strides, begin * strides[static_cast<size_t>(axis)]));
    put(context, i, std::move(y));
    begin += sizes[i];
  }
  return {};
}

Status run(const Expand&, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(Shape shape, shape_of(context.input(1), "shape"));
  HALFTONE_ASSIGN(shape, broadcast(x.shape(), shape));
  HALFTONE_ASSIGN(Tensor y, gather_view(x, shape, broadcast_strides(x.shape(), shape)));
  put(context, 0, std::move(y));
  return {};
}

Status run(const Tile&, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(const Shape repeats, shape_of(context.input(1), "repeats"));
  if (repeats.size() != x.shape().size())
    return invalid_input("repeats: expected {}, got {}", x.rank(), repeats.size());
  // Every axis becomes two: which copy, and where in it.
  const Strides dense = strides_of(x.shape());
  Shape view, shape;
  Strides strides;
  for (size_t axis = 0; axis < repeats.size(); ++axis) {
    view.insert(view.end(), {repeats[axis], x.shape()[axis]});
    strides.insert(strides.end(), {0, dense[axis]});
    shape.push_back(product(std::array{repeats[axis], x.shape()[axis]}));
  }
  HALFTONE_ASSIGN(const Tensor y, gather_view(x, view, strides));
  put(context, 0, y.reshaped(shape));
  return {};
}

namespace {

// Blocks of space and depth change places: x as (n, ..., ) seen with split axes.
Result<Tensor> regrouped(const Tensor& x, const Shape& split, const std::vector<size_t>& order, const Shape& shape) {
  const Strides dense = strides_of(split);
  Shape view;
  Strides strides;
  for (const size_t axis : order) {
    view.push_back(split[axis]);
    strides.push_back(dense[axis]);
  }
  HALFTONE_ASSIGN(const Tensor y, gather_view(x, view, strides));
  return y.reshaped(shape);
}

Status need_image(const Tensor& x, int64_t block) {
  if (x.rank() == 4 && block >= 1 && block <= INT32_MAX) return {};
  return invalid_input("expected an image of 4 axes and a block, got {} and {}", text_of(x.shape()), block);
}

}  // namespace

Status run(const DepthToSpace& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  HALFTONE_TRY(need_image(x, op.block));
  const bool first = op.order == ImageOrder::channels_first;
  const int64_t b = op.block, n = x.dim(0), c = x.dim(first ? 1 : 3), h = x.dim(first ? 2 : 1),
                w = x.dim(first ? 3 : 2);
  if (c % (b * b) != 0) return invalid_input("expected channels in blocks of {}, got {}", b * b, c);
  const int64_t deep = c / (b * b);
  Tensor y;
  if (first && op.columns_first) {
    HALFTONE_ASSIGN(y, regrouped(x, {n, deep, b, b, h, w}, {0, 1, 4, 2, 5, 3}, {n, deep, h * b, w * b}));
  } else if (first) {
    HALFTONE_ASSIGN(y, regrouped(x, {n, b, b, deep, h, w}, {0, 3, 4, 1, 5, 2}, {n, deep, h * b, w * b}));
  } else {
    HALFTONE_ASSIGN(y, regrouped(x, {n, h, w, b, b, deep}, {0, 1, 3, 2, 4, 5}, {n, h * b, w * b, deep}));
  }
  put(context, 0, std::move(y));
  return {};
}

Status run(const SpaceToDepth& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  HALFTONE_TRY(need_image(x, op.block));
  const bool first = op.order == ImageOrder::channels_first;
  const int64_t b = op.block, n = x.dim(0), c = x.dim(first ? 1 : 3), h = x.dim(first ? 2 : 1),
                w = x.dim(first ? 3 : 2);
  if (h % b != 0 || w % b != 0)
    return invalid_input("expected an image in blocks of {}, got {}", b, text_of(x.shape()));
  Tensor y;
  if (first) {
    HALFTONE_ASSIGN(y, regrouped(x, {n, c, h / b, b, w / b, b}, {0, 3, 5, 1, 2, 4}, {n, c * b * b, h / b, w / b}));
  } else {
    HALFTONE_ASSIGN(y, regrouped(x, {n, h / b, b, w / b, b, c}, {0, 1, 3, 2, 4, 5}, {n, h / b, w / b, c * b * b}));
  }
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
