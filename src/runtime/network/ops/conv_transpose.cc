// SPDX-License-Identifier: Apache-2.0
// Windows that write: transposed convolution, and blocks put together to an image.
#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/types.h"
#include "runtime/network/ops/windows.h"

namespace halftone::network::ops {
namespace {

constexpr int64_t kMostImage = int64_t{1} << 31;

int64_t entry(const std::vector<int64_t>& list, size_t axis, int64_t value) {
  return list.empty() ? value : list[axis];
}

// The axes of y: a window of y for every place of x.
Result<WindowAxes> transposed_axes(const ConvTranspose& op, const Shape& kernel, const Shape& in) {
  const Window& window = op.window;
  for (const auto* list : {&window.strides, &window.dilations, &window.pads_begin, &window.pads_end, &op.output_padding,
                           &op.output_shape}) {
    if (!list->empty() && list->size() != in.size())
      return invalid_input("expected one number per spatial axis ({}), got {}", in.size(), list->size());
    for (const int64_t value : *list)
      if (value < 0 || value > kMostImage) return invalid_input("expected 0 to {}, got {}", kMostImage, value);
  }
  WindowAxes axes;
  for (size_t i = 0; i < in.size(); ++i) {
    WindowAxis axis{0, kernel[i], entry(window.strides, i, 1), entry(window.dilations, i, 1), 0, 0, in[i]};
    if (axis.kernel < 1 || axis.stride < 1 || axis.dilation < 1 || axis.out < 1 || axis.kernel > kMostImage ||
        axis.out > kMostImage)
      return invalid_input("expected an image, a kernel, strides and dilations of at least 1, got {} and {}",
                           text_of(in), text_of(kernel));
    const int64_t natural = (axis.out - 1) * axis.stride + axis.extent() + entry(op.output_padding, i, 0);
    const bool same = window.auto_pad == AutoPad::same_upper || window.auto_pad == AutoPad::same_lower;
    if (same || !op.output_shape.empty()) {
      axis.in = op.output_shape.empty() ? axis.out * axis.stride : op.output_shape[i];
      const int64_t pads = std::max<int64_t>(natural - axis.in, 0);
      axis.pad_begin = window.auto_pad == AutoPad::same_upper ? pads / 2 : pads - pads / 2;
    } else {
      const bool explicit_pads = window.auto_pad == AutoPad::explicit_pads;
      axis.pad_begin = explicit_pads ? entry(window.pads_begin, i, 0) : 0;
      axis.in = natural - axis.pad_begin - (explicit_pads ? entry(window.pads_end, i, 0) : 0);
    }
    if (axis.in < 0) return invalid_input("pads: expected at most {}, got {} more", natural, -axis.in);
    axis.pad_end = natural;  // beyond the image nothing is written
    axes.push_back(axis);
  }
  return axes;
}

Shape sizes_of(const WindowAxes& axes) {
  Shape shape;
  for (const WindowAxis& axis : axes) shape.push_back(axis.in);
  return shape;
}

}  // namespace

Status run(const ConvTranspose& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor &x = context.input(0), &weight = context.input(1), &bias = context.input(2);
  HALFTONE_ASSIGN(const ImageView in, view_image(x, op.window.order));
  HALFTONE_ASSIGN(const ImageView kernel, view_image(weight, op.window.order));
  if (x.rank() != weight.rank() || kernel.batch != in.channels || op.groups < 1 || in.channels % op.groups != 0 ||
      weight.type() != x.type())
    return invalid_input("expected a weight of {} for {} channels in {} groups, got {} of {} for {}",
                         halftone::name_of(x.type()), in.channels, op.groups, text_of(weight.shape()),
                         halftone::name_of(weight.type()), text_of(x.shape()));
  HALFTONE_ASSIGN(const WindowAxes axes, transposed_axes(op, kernel.spatial, in.spatial));
  int64_t channels;
  if (__builtin_mul_overflow(kernel.channels, op.groups, &channels)) return exhausted("expected fewer channels");
  if (bias.present() && (bias.type() != x.type() || bias.elements() != channels))
    return invalid_input("bias: expected [{}], got {}", channels, text_of(bias.shape()));
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), in.shape(channels, sizes_of(axes))));
  HALFTONE_ASSIGN(const ImageView out, view_image(y, op.window.order));
  const int64_t inputs = in.channels / op.groups;
  const int64_t tap_stride = op.window.order == ImageOrder::channels_first ? 1 : kernel.channels;
  return with_floats(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    T* to = mutable_data<T>(y);
    const Taps taps(axes, out.spatial_strides);
    context.pool.parallel_for(y.elements() == 0 ? 0 : in.batch * channels, 1, [&](int64_t begin, int64_t end, int) {
      std::vector<Tap> here;
      for (int64_t i = begin; i < end; ++i) {
        const int64_t n = i / channels, c = i % channels, group = c / kernel.channels;
        T* plane = to + n * out.batch_stride + c * out.channel_stride;
        const int64_t pixels = product(out.spatial),
                      pixel = op.window.order == ImageOrder::channels_first ? 1 : channels;
        for (int64_t p = 0; p < pixels; ++p) plane[p * pixel] = bias.present() ? data<T>(bias)[c] : T(0);
        const T* from = data<T>(x) + n * in.batch_stride + group * inputs * in.channel_stride;
        const T* w =
            data<T>(weight) + group * inputs * kernel.batch_stride + c % kernel.channels * kernel.channel_stride;
        const int64_t step = op.window.order == ImageOrder::channels_first ? 1 : in.channels;
        for (int64_t place = 0; place < taps.windows(); ++place) {
          taps.at(place, here);
          for (const Tap& tap : here) {
            T sum = 0;
            for (int64_t k = 0; k < inputs; ++k)
              sum += from[k * in.channel_stride + place * step] * w[k * kernel.batch_stride + tap.index * tap_stride];
            plane[tap.from] += sum;
          }
        }
      }
    });
    put(context, 0, std::move(y));
    return {};
  });
}

Status run(const Col2Im& op, OpContext& context) {
  HALFTONE_TRY(need(context, 3));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(const Shape image, shape_of(context.input(1), "image"));
  HALFTONE_ASSIGN(const Shape block, shape_of(context.input(2), "block"));
  HALFTONE_ASSIGN(const WindowAxes axes, place_windows(op.window, block, image));
  Shape windows;
  for (const WindowAxis& axis : axes) windows.push_back(axis.out);
  const int64_t taps_count = product(block), count = product(windows);
  if (x.rank() != 3 || x.dim(1) % taps_count != 0 || x.dim(2) != count)
    return invalid_input("expected (n, channels * {}, {}), got {}", taps_count, count, text_of(x.shape()));
  Shape shape = {x.dim(0), x.dim(1) / taps_count};
  shape.insert(shape.end(), image.begin(), image.end());
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), shape));
  std::ranges::fill(y.mutable_bytes(), std::byte{0});
  const Strides strides = strides_of(image);
  return with_numbers(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    using U = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
    const int64_t planes = shape[0] * shape[1], pixels = product(image);
    const Taps taps(axes, strides);
    std::vector<Tap> here;
    for (int64_t w = 0; x.elements() > 0 && w < count; ++w) {
      taps.at(w, here);
      for (int64_t plane = 0; plane < planes; ++plane)
        for (const Tap& tap : here) {
          T& to = mutable_data<T>(y)[plane * pixels + tap.from];
          to = static_cast<T>(U(to) + U(data<T>(x)[(plane * taps_count + tap.index) * count + w]));
        }
    }
    put(context, 0, std::move(y));
    return {};
  });
}

}  // namespace halftone::network::ops
