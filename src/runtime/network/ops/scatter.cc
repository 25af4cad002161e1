// SPDX-License-Identifier: Apache-2.0
// Numbers written where indices say, alone or combined with what is there.
#include <cstring>

#include "runtime/network/ops/indices.h"
#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/types.h"
#include "runtime/network/ops/walk.h"

namespace halftone::network::ops {
namespace {

Result<Tensor> copy_of(const Tensor& x) {
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  std::ranges::copy(x.bytes(), y.mutable_bytes().begin());
  return y;
}

template <class T>
void combine(ScatterReduction reduction, T& old, T value) {
  using U = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
  switch (reduction) {
    case ScatterReduction::none:
      old = value;
      break;
    case ScatterReduction::add:
      old = static_cast<T>(U(old) + U(value));
      break;
    case ScatterReduction::multiply:
      old = static_cast<T>(U(old) * U(value));
      break;
    case ScatterReduction::minimum:
      old = value < old || value != value ? value : old;
      break;
    case ScatterReduction::maximum:
      old = value > old || value != value ? value : old;
      break;
  }
}

// body(old, new) for every target; without a reduction numbers only move, whatever their type.
template <class Body>
Status with_combined(DType type, ScatterReduction reduction, Body&& body) {
  if (reduction == ScatterReduction::none)
    return with_size(type, [&](auto zero) -> Status {
      body(zero, [](auto& old, auto value) { old = value; });
      return {};
    });
  return with_numbers(type, [&](auto zero) -> Status {
    body(zero, [reduction](auto& old, auto value) { combine(reduction, old, value); });
    return {};
  });
}

}  // namespace

Status run(const ScatterElements& op, OpContext& context) {
  HALFTONE_TRY(need(context, 3));
  const Tensor &x = context.input(0), &indices = context.input(1), &updates = context.input(2);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.axis, x.rank()));
  HALFTONE_TRY(need_elements_shape(x, indices, axis));
  HALFTONE_ASSIGN(const std::vector<int64_t> places, indices_of(indices, x.dim(axis)));
  if (updates.type() != x.type() || updates.shape() != indices.shape())
    return invalid_input("updates: expected {} of {}, got {} of {}", text_of(indices.shape()),
                         halftone::name_of(x.type()), text_of(updates.shape()), halftone::name_of(updates.type()));
  HALFTONE_ASSIGN(Tensor y, copy_of(x));
  Strides strides = strides_of(x.shape());
  const int64_t along = std::exchange(strides[static_cast<size_t>(axis)], 0);
  const Walk walk(indices.shape(), strides);
  HALFTONE_TRY(with_combined(x.type(), op.reduction, [&](auto type, auto merge) {
    using T = decltype(type);
    walk.run([&](const Walk::Offsets& at, int64_t position, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        const int64_t place = places[static_cast<size_t>(position + i)];
        merge(mutable_data<T>(y)[at[0] + i * walk.step(0) + place * along], data<T>(updates)[position + i]);
      }
    });
  }));
  put(context, 0, std::move(y));
  return {};
}

Status run(const ScatterNd& op, OpContext& context) {
  HALFTONE_TRY(need(context, 3));
  const Tensor &x = context.input(0), &updates = context.input(2);
  HALFTONE_ASSIGN(const NdIndices nd, nd_indices(x, context.input(1), 0));
  Shape shape = nd.shape;
  shape.insert(shape.end(), nd.slice_shape.begin(), nd.slice_shape.end());
  if (updates.type() != x.type() || updates.shape() != shape)
    return invalid_input("updates: expected {} of {}, got {} of {}", text_of(shape), halftone::name_of(x.type()),
                         text_of(updates.shape()), halftone::name_of(updates.type()));
  HALFTONE_ASSIGN(Tensor y, copy_of(x));
  HALFTONE_TRY(with_combined(x.type(), op.reduction, [&](auto type, auto merge) {
    using T = decltype(type);
    const T* from = data<T>(updates);
    for (const int64_t offset : nd.offsets) {
      for (int64_t i = 0; i < nd.slice; ++i) merge(mutable_data<T>(y)[offset + i], from[i]);
      from += nd.slice;
    }
  }));
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
