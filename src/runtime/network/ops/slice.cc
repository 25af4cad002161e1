// SPDX-License-Identifier: Apache-2.0
// Parts of a tensor, and frames around it.
#include <numeric>

#include "runtime/network/ops/move.h"
#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/types.h"

namespace halftone::network::ops {
namespace {

// The axes that an optional input names; without it the first `count`.
Result<std::vector<int64_t>> named_axes(const Tensor& given, size_t count, int64_t rank) {
  std::vector<int64_t> axes(count);
  std::iota(axes.begin(), axes.end(), 0);
  if (given.present()) {
    HALFTONE_ASSIGN(axes, integers_of(given, "axes"));
  }
  if (axes.size() != count) return invalid_input("axes: expected {}, got {}", count, axes.size());
  return axes_of(axes, rank);
}

// Where a padded axis reads: -1 is a constant.
Result<std::vector<int64_t>> padded_axis(PadMode mode, int64_t size, int64_t before, int64_t after) {
  int64_t length;
  if (__builtin_add_overflow(size, before, &length) || __builtin_add_overflow(length, after, &length) ||
      length > INT32_MAX)
    return exhausted("pads: expected an axis of at most {}, got {} + {} + {}", INT32_MAX, before, size, after);
  if (length < 0) return invalid_input("pads: expected to crop at most {}, got {} and {}", size, before, after);
  std::vector<int64_t> map;
  if (size == 0 && mode != PadMode::constant && length > 0)
    return invalid_input("pads: expected numbers to repeat, got an empty axis");
  const int64_t turn = std::max<int64_t>(2 * (size - 1), 1);
  for (int64_t i = -before; i < length - before; ++i) {
    int64_t at = i;
    if (i < 0 || i >= size) {
      if (mode == PadMode::constant) {
        at = -1;
      } else if (mode == PadMode::edge) {
        at = i < 0 ? 0 : size - 1;
      } else {
        const int64_t period = mode == PadMode::wrap ? size : turn;
        at = (i % period + period) % period;
        if (at >= size) at = turn - at;
      }
    }
    map.push_back(at);
  }
  return map;
}

std::vector<int64_t> whole_axis(int64_t size) {
  std::vector<int64_t> map(static_cast<size_t>(size));
  std::iota(map.begin(), map.end(), 0);
  return map;
}

}  // namespace

Status run(const Slice&, OpContext& context) {
  HALFTONE_TRY(need(context, 3));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(const std::vector<int64_t> starts, integers_of(context.input(1), "starts"));
  HALFTONE_ASSIGN(const std::vector<int64_t> ends, integers_of(context.input(2), "ends"));
  HALFTONE_ASSIGN(const std::vector<int64_t> axes, named_axes(context.input(3), starts.size(), x.rank()));
  std::vector<int64_t> steps(starts.size(), 1);
  if (context.input(4).present()) {
    HALFTONE_ASSIGN(steps, integers_of(context.input(4), "steps"));
  }
  if (ends.size() != starts.size() || steps.size() != starts.size())
    return invalid_input("expected as many ends and steps as starts, got {}, {} and {}", ends.size(), steps.size(),
                         starts.size());
  Shape shape = x.shape();
  Strides strides = strides_of(shape);
  int64_t offset = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    const int64_t size = shape[axis], step = std::clamp<int64_t>(steps[i], -size - 1, size + 1);
    if (step == 0) return invalid_input("steps: expected other numbers than 0, got it for axis {}", axis);
    const auto bounded = [&](int64_t at) {
      at = std::clamp<int64_t>(at, -size - 1, size + 1);
      return std::clamp<int64_t>(at < 0 ? at + size : at, step < 0 ? -1 : 0, step < 0 ? size - 1 : size);
    };
    const int64_t start = bounded(starts[i]), end = bounded(ends[i]);
    const int64_t count = step > 0 ? (end - start + step - 1) / step : (start - end - step - 1) / -step;
    shape[axis] = std::max<int64_t>(count, 0);
    offset += start * strides[axis];
    strides[axis] *= step;
  }
  HALFTONE_ASSIGN(Tensor y, gather_view(x, shape, strides, offset));
  put(context, 0, std::move(y));
  return {};
}

Status run(const Pad& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor &x = context.input(0), &value = context.input(2);
  HALFTONE_ASSIGN(const std::vector<int64_t> pads, integers_of(context.input(1), "pads"));
  if (pads.size() % 2 != 0) return invalid_input("pads: expected begins and ends, got {} numbers", pads.size());
  const size_t count = pads.size() / 2;
  HALFTONE_ASSIGN(const std::vector<int64_t> axes, named_axes(context.input(3), count, x.rank()));
  if (value.present() && (value.type() != x.type() || value.elements() != 1))
    return invalid_input("value: expected one number of {}, got {} of {}", halftone::name_of(x.type()),
                         text_of(value.shape()), halftone::name_of(value.type()));
  if (!context.input(3).present() && count != x.shape().size())
    return invalid_input("pads: expected {} for {} axes, got {}", 2 * x.rank(), x.rank(), pads.size());
  std::vector<std::vector<int64_t>> maps;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    const auto named = std::ranges::find(axes, axis);
    if (named == axes.end()) {
      maps.push_back(whole_axis(x.dim(axis)));
      continue;
    }
    const auto i = static_cast<size_t>(named - axes.begin());
    if (pads[i] == INT64_MIN) return invalid_input("pads: expected a number, got {}", pads[i]);
    HALFTONE_ASSIGN(std::vector<int64_t> map, padded_axis(op.mode, x.dim(axis), pads[i], pads[count + i]));
    maps.push_back(std::move(map));
  }
  HALFTONE_ASSIGN(Tensor y, take(x, maps, value));
  put(context, 0, std::move(y));
  return {};
}

Status run(const CenterCropPad& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(const Shape sizes, shape_of(context.input(1), "sizes"));
  std::vector<int64_t> axes = op.axes;
  if (axes.empty()) {
    axes.resize(x.shape().size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  HALFTONE_ASSIGN(axes, axes_of(axes, x.rank()));
  if (axes.size() != sizes.size()) return invalid_input("sizes: expected {}, got {}", axes.size(), sizes.size());
  std::vector<std::vector<int64_t>> maps;
  for (const int64_t size : x.shape()) maps.push_back(whole_axis(size));
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t size = x.dim(axes[i]), more = sizes[i] - size;
    // The smaller half is before, of what is cropped and of what is added.
    const int64_t before = more >= 0 ? more / 2 : -(-more / 2);
    HALFTONE_ASSIGN(maps[static_cast<size_t>(axes[i])], padded_axis(PadMode::constant, size, before, more - before));
  }
  HALFTONE_ASSIGN(Tensor y, take(x, maps));
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
