// SPDX-License-Identifier: Apache-2.0
// Where the windows of convolutions and pools lie, for any number of spatial axes.
#pragma once

#include "runtime/network/ops/shapes.h"

namespace halftone::network::ops {

// One spatial axis, checked.
struct WindowAxis {
  int64_t in, kernel, stride, dilation, pad_begin, pad_end, out;

  // Where tap `k` of window `o` reads; outside of [0, in) are pads.
  int64_t at(int64_t o, int64_t k) const { return o * stride - pad_begin + k * dilation; }
  int64_t extent() const { return (kernel - 1) * dilation + 1; }
};
using WindowAxes = std::vector<WindowAxis>;

// `kernel` and `in` are sizes of the spatial axes. Errors: lists of another length, sizes below 1, windows larger than
// the padded image.
Result<WindowAxes> place_windows(const Window& window, std::span<const int64_t> kernel, std::span<const int64_t> in);

// An image's (n, c, spatial) sizes and strides, whatever its order.
struct ImageView {
  int64_t batch, channels;
  Shape spatial;
  int64_t batch_stride, channel_stride;
  Strides spatial_strides;
  ImageOrder order;

  // REQUIRES: spatial axes as many as this one's.
  Shape shape(int64_t new_channels, const Shape& new_spatial) const;
};
Result<ImageView> view_image(const Shape& x, ImageOrder order);
inline Result<ImageView> view_image(const Tensor& x, ImageOrder order) { return view_image(x.shape(), order); }

// The taps of one window that lie in the image.
struct Tap {
  int64_t from;   // offset of the spatial position, in elements
  int64_t index;  // of the tap, row-major
};
class Taps {
 public:
  Taps(const WindowAxes& axes, const Strides& spatial_strides);

  int64_t windows() const { return windows_; }
  int64_t per_window() const { return per_window_; }
  // Of window `index` (row-major); `padded` counts taps that lie in the pads, too, but not those beyond them.
  void at(int64_t index, std::vector<Tap>& taps, int64_t* padded = nullptr) const;

 private:
  void add(size_t axis, const std::vector<int64_t>& window, Tap tap, bool inside, std::vector<Tap>& taps,
           int64_t* padded) const;

  const WindowAxes& axes_;
  const Strides& strides_;
  int64_t windows_ = 1, per_window_ = 1;
};

}  // namespace halftone::network::ops
