// SPDX-License-Identifier: Apache-2.0
#include "runtime/network/ops/windows.h"

#include <algorithm>

namespace halftone::network::ops {
namespace {

constexpr int64_t kMostSize = int64_t{1} << 31;  // products of two such sizes do not overflow

Status check_list(std::span<const int64_t> list, size_t axes, int64_t least, const char* what) {
  if (!list.empty() && list.size() != axes)
    return invalid_input("{}: expected one per spatial axis ({}), got {}", what, axes, list.size());
  for (const int64_t value : list)
    if (value < least || value > kMostSize)
      return invalid_input("{}: expected {} to {}, got {}", what, least, kMostSize, value);
  return {};
}

int64_t or_default(const std::vector<int64_t>& list, size_t axis, int64_t value) {
  return list.empty() ? value : list[axis];
}

Status place_axis(const Window& window, WindowAxis& axis) {
  const int64_t extent = axis.extent();
  if (window.auto_pad == AutoPad::same_upper || window.auto_pad == AutoPad::same_lower) {
    axis.out = (axis.in + axis.stride - 1) / axis.stride;
    const int64_t pads = std::max<int64_t>((axis.out - 1) * axis.stride + extent - axis.in, 0);
    axis.pad_begin = window.auto_pad == AutoPad::same_upper ? pads / 2 : pads - pads / 2;
    axis.pad_end = pads - axis.pad_begin;
    return {};
  }
  if (window.auto_pad == AutoPad::valid) axis.pad_begin = axis.pad_end = 0;
  const int64_t room = axis.in + axis.pad_begin + axis.pad_end - extent;
  if (room < 0)
    return invalid_input("expected an image of at least {} with its pads, got {} + {}", extent, axis.in,
                         axis.pad_begin + axis.pad_end);
  axis.out = room / axis.stride + 1;
  if (window.ceil && room % axis.stride != 0) {
    // A window that would begin in the pads at the end is none.
    if (axis.out * axis.stride < axis.in + axis.pad_begin) ++axis.out;
  }
  return {};
}

}  // namespace

Result<WindowAxes> place_windows(const Window& window, std::span<const int64_t> kernel, std::span<const int64_t> in) {
  HALFTONE_TRY(check_list(kernel, in.size(), 1, "kernel"));
  HALFTONE_TRY(check_list(window.strides, in.size(), 1, "strides"));
  HALFTONE_TRY(check_list(window.dilations, in.size(), 1, "dilations"));
  HALFTONE_TRY(check_list(window.pads_begin, in.size(), 0, "pads"));
  HALFTONE_TRY(check_list(window.pads_end, in.size(), 0, "pads"));
  HALFTONE_TRY(check_list(in, in.size(), 0, "image"));
  if (kernel.size() != in.size())
    return invalid_input("expected a kernel of {} axes, got {}", in.size(), kernel.size());
  if (product(kernel) > kMostSize) return invalid_input("expected a kernel of {} taps at most", kMostSize);
  WindowAxes axes;
  for (size_t i = 0; i < in.size(); ++i) {
    WindowAxis axis{in[i],
                    kernel[i],
                    or_default(window.strides, i, 1),
                    or_default(window.dilations, i, 1),
                    or_default(window.pads_begin, i, 0),
                    or_default(window.pads_end, i, 0),
                    0};
    HALFTONE_TRY(place_axis(window, axis));
    axes.push_back(axis);
  }
  return axes;
}

Shape ImageView::shape(int64_t new_channels, const Shape& new_spatial) const {
  Shape sizes = {batch};
  if (order == ImageOrder::channels_first) sizes.push_back(new_channels);
  sizes.insert(sizes.end(), new_spatial.begin(), new_spatial.end());
  if (order == ImageOrder::channels_last) sizes.push_back(new_channels);
  return sizes;
}

Result<ImageView> view_image(const Shape& x, ImageOrder order) {
  if (x.size() < 2) return invalid_input("expected an image of 2 axes or more, got {}", text_of(x));
  const Strides strides = strides_of(x);
  const size_t rank = x.size();
  const bool first = order == ImageOrder::channels_first;
  const size_t channel = first ? 1 : rank - 1, begin = first ? 2 : 1;
  ImageView view{x[0], x[channel], {}, strides[0], strides[channel], {}, order};
  for (size_t axis = begin; axis < begin + rank - 2; ++axis) {
    view.spatial.push_back(x[axis]);
    view.spatial_strides.push_back(strides[axis]);
  }
  return view;
}

Taps::Taps(const WindowAxes& axes, const Strides& spatial_strides) : axes_(axes), strides_(spatial_strides) {
  for (const WindowAxis& axis : axes) {
    windows_ *= axis.out;
    per_window_ *= axis.kernel;
  }
}

void Taps::at(int64_t index, std::vector<Tap>& taps, int64_t* padded) const {
  std::vector<int64_t> window(axes_.size());
  for (size_t axis = axes_.size(); axis-- > 0;) {
    window[axis] = index % axes_[axis].out;
    index /= axes_[axis].out;
  }
  taps.clear();
  if (padded != nullptr) *padded = 0;
  add(0, window, {0, 0}, true, taps, padded);
}

void Taps::add(size_t axis, const std::vector<int64_t>& window, Tap tap, bool inside, std::vector<Tap>& taps,
               int64_t* padded) const {
  if (axis == axes_.size()) {
    if (padded != nullptr) ++*padded;
    if (inside) taps.push_back(tap);
    return;
  }
  const WindowAxis& a = axes_[axis];
  for (int64_t k = 0; k < a.kernel; ++k) {
    const int64_t at = a.at(window[axis], k);
    if (at >= a.in + a.pad_end) break;  // what a last window hangs over is not even a pad
    const bool in = at >= 0 && at < a.in;
    if (!in && padded == nullptr) continue;
    add(axis + 1, window, {tap.from + at * strides_[axis], tap.index * a.kernel + k}, inside && in, taps, padded);
  }
}

}  // namespace halftone::network::ops
