// SPDX-License-Identifier: Apache-2.0
// Numbers picked by index. Negative indices count from the end; what lies outside is an error.
#include <cstring>

#include "runtime/network/ops/indices.h"
#include "runtime/network/ops/move.h"
#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/rows.h"
#include "runtime/network/ops/types.h"
#include "runtime/network/ops/walk.h"

namespace halftone::network::ops {

Result<std::vector<int64_t>> indices_of(const Tensor& indices, int64_t size) {
  if (indices.type() != DType::i64 && indices.type() != DType::i32)
    return invalid_input("indices: expected i64 or i32, got {}", halftone::name_of(indices.type()));
  HALFTONE_ASSIGN(std::vector<int64_t> values, integers_of(indices.reshaped({indices.elements()}), "indices"));
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < -size || values[i] >= size)
      return invalid_input("indices: expected [{}, {}), got {} at element {}", -size, size, values[i], i);
    if (values[i] < 0) values[i] += size;
  }
  return values;
}

Status need_elements_shape(const Tensor& x, const Tensor& indices, int64_t axis) {
  bool fits = indices.rank() == x.rank();
  for (int64_t i = 0; fits && i < x.rank(); ++i) fits = i == axis || indices.dim(i) <= x.dim(i);
  if (fits) return {};
  return invalid_input("indices: expected {} axes within {} but for axis {}, got {}", x.rank(), text_of(x.shape()),
                       axis, text_of(indices.shape()));
}

Result<NdIndices> nd_indices(const Tensor& x, const Tensor& indices, int64_t batch) {
  const int64_t depth = indices.rank() == 0 ? -1 : indices.dim(indices.rank() - 1);
  if (batch < 0 || batch >= indices.rank() || batch > x.rank() || depth < 0 || depth > x.rank() - batch)
    return invalid_input("indices: expected tuples of at most {} numbers after {} batch axes, got {} for {}", x.rank(),
                         batch, text_of(indices.shape()), text_of(x.shape()));
  NdIndices nd;
  const std::span<const int64_t> of_x(x.shape()), of_indices(indices.shape());
  const auto b = static_cast<size_t>(batch), d = static_cast<size_t>(depth);
  for (size_t axis = 0; axis < b; ++axis)
    if (of_x[axis] != of_indices[axis])
      return invalid_input("indices: expected the batch axes of {}, got {}", text_of(x.shape()),
                           text_of(indices.shape()));
  nd.slice_shape.assign(of_x.begin() + static_cast<std::ptrdiff_t>(b + d), of_x.end());
  nd.slice = product(nd.slice_shape);
  nd.shape.assign(of_indices.begin(), of_indices.end() - 1);
  HALFTONE_ASSIGN(const Tensor wide_indices, convert(indices, DType::i64));
  if (indices.type() != DType::i64 && indices.type() != DType::i32)
    return invalid_input("indices: expected i64 or i32, got {}", halftone::name_of(indices.type()));
  const Strides strides = strides_of(x.shape());
  const int64_t tuples = product(nd.shape),
                per_batch = std::max<int64_t>(product(of_indices.subspan(b).first(of_indices.size() - b - 1)), 1);
  if (tuples > (int64_t{1} << 32)) return exhausted("indices: expected fewer than 2^32 tuples, got {}", tuples);
  const int64_t batch_size = product(of_x.subspan(b));
  for (int64_t i = 0; i < tuples; ++i) {
    int64_t offset = i / per_batch * batch_size;
    for (size_t k = 0; k < d; ++k) {
      int64_t index = data<int64_t>(wide_indices)[i * depth + static_cast<int64_t>(k)];
      const int64_t size = of_x[b + k];
      if (index < -size || index >= size)
        return invalid_input("indices: expected [{}, {}), got {} in tuple {}", -size, size, index, i);
      if (index < 0) index += size;
      offset += index * strides[b + k];
    }
    nd.offsets.push_back(offset);
  }
  return nd;
}

Status run(const Gather& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor &x = context.input(0), &indices = context.input(1);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.axis, x.rank()));
  HALFTONE_ASSIGN(const std::vector<int64_t> places, indices_of(indices, x.dim(axis)));
  Shape shape(x.shape().begin(), x.shape().begin() + axis);
  shape.insert(shape.end(), indices.shape().begin(), indices.shape().end());
  shape.insert(shape.end(), x.shape().begin() + axis + 1, x.shape().end());
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), shape));
  const Rows rows = rows_along(x.shape(), axis);
  const int64_t bytes = rows.inner * bytes_of(x.type());
  std::byte* to = y.mutable_bytes().data();
  for (int64_t outer = 0; y.elements() > 0 && outer < rows.outer; ++outer) {
    for (const int64_t place : places) {
      std::memcpy(to, x.bytes().data() + (outer * rows.length + place) * bytes, static_cast<size_t>(bytes));
      to += bytes;
    }
  }
  put(context, 0, std::move(y));
  return {};
}

Status run(const GatherElements& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor &x = context.input(0), &indices = context.input(1);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.axis, x.rank()));
  HALFTONE_TRY(need_elements_shape(x, indices, axis));
  HALFTONE_ASSIGN(const std::vector<int64_t> places, indices_of(indices, x.dim(axis)));
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), indices.shape()));
  Strides strides = strides_of(x.shape());
  const int64_t along = std::exchange(strides[static_cast<size_t>(axis)], 0);
  const Walk walk(indices.shape(), strides);
  HALFTONE_TRY(with_size(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    walk.run([&](const Walk::Offsets& at, int64_t position, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        const int64_t place = places[static_cast<size_t>(position + i)];
        mutable_data<T>(y)[position + i] = data<T>(x)[at[0] + i * walk.step(0) + place * along];
      }
    });
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

Status run(const GatherNd& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(NdIndices nd, nd_indices(x, context.input(1), op.batch_dims));
  Shape shape = nd.shape;
  shape.insert(shape.end(), nd.slice_shape.begin(), nd.slice_shape.end());
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), shape));
  const int64_t size = bytes_of(x.type());
  std::byte* to = y.mutable_bytes().data();
  for (const int64_t offset : nd.offsets) {
    if (nd.slice == 0) break;
    std::memcpy(to, x.bytes().data() + offset * size, static_cast<size_t>(nd.slice * size));
    to += nd.slice * size;
  }
  put(context, 0, std::move(y));
  return {};
}

Status run(const Compress& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor& condition = context.input(1);
  const Tensor x = op.flat ? context.input(0).reshaped({context.input(0).elements()}) : context.input(0);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.flat ? 0 : op.axis, x.rank()));
  if (condition.type() != DType::boolean || condition.rank() != 1 || condition.elements() > x.dim(axis))
    return invalid_input("condition: expected at most {} booleans, got {} of {}", x.dim(axis),
                         text_of(condition.shape()), halftone::name_of(condition.type()));
  std::vector<std::vector<int64_t>> maps;
  for (int64_t a = 0; a < x.rank(); ++a) {
    std::vector<int64_t>& map = maps.emplace_back();
    const auto kept = condition.values<bool>();
    const int64_t size = a == axis ? condition.elements() : x.dim(a);
    for (int64_t i = 0; i < size; ++i)
      if (a != axis || kept[static_cast<size_t>(i)]) map.push_back(i);
  }
  HALFTONE_ASSIGN(Tensor y, take(x, maps));
  put(context, 0, std::move(y));
  return {};
}

Status run(const ReverseSequence& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(const int64_t batch, axis_of(op.batch_axis, x.rank()));
  HALFTONE_ASSIGN(const int64_t time, axis_of(op.time_axis, x.rank()));
  HALFTONE_ASSIGN(const std::vector<int64_t> lengths, integers_of(context.input(1), "lengths"));
  if (batch == time || static_cast<int64_t>(lengths.size()) != x.dim(batch))
    return invalid_input("lengths: expected {}, one per sequence, got {}", x.dim(batch), lengths.size());
  for (const int64_t length : lengths)
    if (length < 0 || length > x.dim(time))
      return invalid_input("lengths: expected [0, {}], got {}", x.dim(time), length);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  const Rows of_batch = rows_along(x.shape(), batch), of_time = rows_along(x.shape(), time);
  HALFTONE_TRY(with_size(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    for (int64_t i = 0; i < x.elements(); ++i) {
      const int64_t length = lengths[static_cast<size_t>(i / of_batch.inner % of_batch.length)];
      const int64_t t = i / of_time.inner % of_time.length;
      const int64_t from = t < length ? i + (length - 1 - 2 * t) * of_time.inner : i;
      mutable_data<T>(y)[i] = data<T>(x)[from];
    }
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
