// SPDX-License-Identifier: Apache-2.0
// Convolutions of any rank, straight from their definition.
#include "runtime/network/ops/conv.h"

#include <array>

#include "runtime/network/ops/float_conv.h"
#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/packed.h"
#include "runtime/network/ops/types.h"
#include "runtime/network/ops/windows.h"

namespace halftone::network::ops {
namespace {

// y of one window and one output channel; T are the numbers, A the sum.
template <class T, class A>
A window_sum(const ConvShape& shape, const std::vector<Tap>& taps, const T* x, const T* w) {
  A sum = 0;
  for (const Tap& tap : taps) {
    const T* from = x + tap.from;
    const T* weight = w + tap.index * shape.weight_tap_stride;
    for (int64_t c = 0; c < shape.channels_in; ++c)
      sum += static_cast<A>(from[c * shape.x.channel_stride]) * static_cast<A>(weight[c * shape.weight_in_stride]);
  }
  return sum;
}

template <class T, class A>
void convolve(const ConvShape& shape, const T* x, const T* w, const T* bias, A* y, ThreadPool& pool) {
  if (product(shape.y) == 0) return;
  const Taps taps(shape.axes, shape.x.spatial_strides);
  const int64_t windows = taps.windows(), out_per_group = shape.channels_out / shape.groups;
  const bool first = shape.x.order == ImageOrder::channels_first;
  pool.parallel_for(shape.x.batch * windows, 1 + windows / 64, [&](int64_t begin, int64_t end, int) {
    std::vector<Tap> here;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / windows, position = i % windows;
      taps.at(position, here);
      for (int64_t c = 0; c < shape.channels_out; ++c) {
        const int64_t group = c / out_per_group;
        const T* image = x + n * shape.x.batch_stride + group * shape.channels_in * shape.x.channel_stride;
        A sum = window_sum<T, A>(shape, here, image, w + c * shape.weight_out_stride);
        if (bias != nullptr) sum += static_cast<A>(bias[c]);
        y[first ? (n * shape.channels_out + c) * windows + position : i * shape.channels_out + c] = sum;
      }
    }
  });
}

// Subtracts zero points: one, or one per outermost slice.
Result<std::vector<int32_t>> centered(const Tensor& x, const Tensor& zero, std::string_view what) {
  if (x.type() != DType::u8 && x.type() != DType::i8)
    return unsupported("{}: expected i8 or u8, got {}", what, halftone::name_of(x.type()));
  HALFTONE_ASSIGN(const Tensor values, convert(x, DType::i32));
  const auto from = values.values<int32_t>();
  std::vector<int32_t> numbers(from.begin(), from.end());
  if (!zero.present()) return numbers;
  if (zero.type() != x.type() || (zero.elements() != 1 && (x.rank() == 0 || zero.elements() != x.dim(0))))
    return invalid_input("zero point of {}: expected {} of 1 or {}, got {} of {}", what, halftone::name_of(x.type()),
                         x.rank() == 0 ? 1 : x.dim(0), text_of(zero.shape()), halftone::name_of(zero.type()));
  HALFTONE_ASSIGN(const Tensor zeros, convert(zero, DType::i32));
  const auto points = zeros.values<int32_t>();
  const size_t slice = points.empty() ? 1 : std::max<size_t>(numbers.size() / points.size(), 1);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] -= points[i / slice];
  return numbers;
}

// An ending after its convolution, where what is added is repeated.
Status end_apart(const Ending& ending, Tensor y, OpContext& context) {
  std::vector<Tensor> outputs(1);
  const auto then = [&](const Op& op, std::vector<Tensor> inputs) -> Status {
    OpContext next{inputs, outputs, context.pool};
    HALFTONE_TRY(run_op(op, next));
    y = outputs[0];
    return {};
  };
  if (ending.adds) HALFTONE_TRY(then(Binary{BinaryKind::add}, {y, context.input(kAddedInput)}));
  const auto limit = [](float value) { return Tensor::of<float>(DType::f32, {}, std::array{value}); };
  if (ending.limits()) HALFTONE_TRY(then(Clip{}, {y, limit(ending.least), limit(ending.most)}));
  put(context, 0, std::move(y));
  return {};
}

}  // namespace

Result<ConvShape> conv_shape(const Window& window, int64_t groups, const Shape& x, const Shape& weight) {
  HALFTONE_ASSIGN(ImageView image, view_image(x, window.order));
  HALFTONE_ASSIGN(const ImageView kernel, view_image(weight, window.order));
  if (weight.size() != x.size())
    return invalid_input("expected a weight of {} axes, got {}", x.size(), text_of(weight));
  if (groups < 1 || kernel.batch % groups != 0 || image.channels % groups != 0 ||
      image.channels / groups != kernel.channels)
    return invalid_input(
        "expected {} channels in {} groups of the weight's {} and {} outputs that divide, got {} and {}",
        image.channels, groups, kernel.channels, groups, text_of(x), text_of(weight));
  if (!window.kernel.empty() && window.kernel != kernel.spatial)
    return invalid_input("expected a weight with the kernel {}, got {}", text_of(window.kernel), text_of(weight));
  HALFTONE_ASSIGN(WindowAxes axes, place_windows(window, kernel.spatial, image.spatial));
  ConvShape shape;
  shape.groups = groups;
  shape.channels_in = kernel.channels;
  shape.channels_out = kernel.batch;
  shape.weight_out_stride = kernel.batch_stride;
  shape.weight_in_stride = kernel.channel_stride;
  shape.weight_tap_stride = window.order == ImageOrder::channels_first ? 1 : kernel.channels;
  Shape spatial;
  for (const WindowAxis& axis : axes) spatial.push_back(axis.out);
  shape.y = image.shape(shape.channels_out, spatial);
  shape.axes = std::move(axes);
  shape.x = std::move(image);
  return shape;
}

Status run(const Conv& op, OpContext& context) {
  const PackedInput* packed = context.packed;
  HALFTONE_TRY(need(context, packed == nullptr ? 2 : 1));
  const Tensor &x = context.input(0), &weight = context.input(1), &bias = context.input(2);
  HALFTONE_TRY(need_float(x));
  HALFTONE_ASSIGN(const ConvShape shape, conv_shape(op.window, op.groups, x.shape(),
                                                    packed == nullptr ? weight.shape() : packed->constant.shape));
  const DType type = packed == nullptr ? weight.type() : DType::f32;
  if (type != x.type() || (bias.present() && bias.type() != x.type()))
    return invalid_input("expected a weight and a bias of {}, got {}", halftone::name_of(x.type()),
                         halftone::name_of(type));
  if (bias.present() && (bias.rank() != 1 || bias.elements() != shape.channels_out))
    return invalid_input("bias: expected [{}], got {}", shape.channels_out, text_of(bias.shape()));
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), shape.y));
  Ending ending = context.ending == nullptr ? Ending() : *context.ending;
  if (y.elements() == 0) {
    // nothing to compute
  } else if (x.type() == DType::f32) {
    Ends ends;
    if (bias.present()) ends.bias = data<float>(bias);
    const Tensor& added = context.input(kAddedInput);
    if (!ending.adds || (added.shape() == y.shape() && added.type() == DType::f32)) {
      if (ending.adds) ends.added = data<float>(added);
      ends.least = ending.least, ends.most = ending.most;
      ending = {};
    }
    if (packed != nullptr)
      packed_conv(shape, *packed, data<float>(x), ends, mutable_data<float>(y), context);
    else
      float_conv(shape, x, weight, ends, y, context);
  } else {
    convolve(shape, data<double>(x), data<double>(weight), bias.present() ? data<double>(bias) : nullptr,
             mutable_data<double>(y), context.pool);
  }
  return end_apart(ending, std::move(y), context);
}

Status run(const IntegerConv& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor &x = context.input(0), &weight = context.input(1);
  HALFTONE_ASSIGN(const ConvShape shape, conv_shape(op.window, op.groups, x.shape(), weight.shape()));
  if (context.input(2).present() && context.input(2).elements() != 1)
    return invalid_input("zero point of x: expected one, got {}", text_of(context.input(2).shape()));
  HALFTONE_ASSIGN(const std::vector<int32_t> numbers, centered(x, context.input(2), "x"));
  HALFTONE_ASSIGN(const std::vector<int32_t> weights, centered(weight, context.input(3), "weight"));
  HALFTONE_ASSIGN(Tensor y, Tensor::make(DType::i32, shape.y));
  // Sums wrap, as those of 32-bit machines do.
  convolve<int32_t, uint32_t>(shape, numbers.data(), weights.data(), nullptr, mutable_data<uint32_t>(y), context.pool);
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
