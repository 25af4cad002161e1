// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/types.h"
#include "runtime/network/ops/windows.h"

namespace halftone::network::ops {
namespace {

struct Pooled {
  const Pool& op;
  const ImageView& x;
  const WindowAxes& axes;
};

// The maximum of a window, or of nothing the least number; `index` is its spatial position.
template <class T>
T max_of(const std::vector<Tap>& taps, const T* x, int64_t& index) {
  T best =
      std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  index = -1;
  for (const Tap& tap : taps) {
    const T value = x[tap.from];
    if (index >= 0 && !(value > best || value != value)) continue;
    best = value;
    index = tap.from;
    if (value != value) break;
  }
  return best;
}

template <class T>
T window_value(const Pool& op, const std::vector<Tap>& taps, int64_t padded, const T* x) {
  if constexpr (std::is_floating_point_v<T>) {
    double sum = 0;
    const auto p = static_cast<double>(op.p);
    for (const Tap& tap : taps) {
      const double value = x[tap.from];
      if (op.kind == PoolKind::average)
        sum += value;
      else
        sum += op.p == 2 ? value * value : op.p == 1 ? std::abs(value) : std::pow(std::abs(value), p);
    }
    if (op.kind == PoolKind::lp)
      return static_cast<T>(op.p == 2 ? std::sqrt(sum) : op.p == 1 ? sum : std::pow(sum, 1 / p));
    const int64_t count = op.count_pads ? padded : static_cast<int64_t>(taps.size());
    return count == 0 ? T(0) : static_cast<T>(sum / static_cast<double>(count));
  } else {
    // Integers are averaged as they are divided: to zero, exactly.
    T sum = 0;
    for (const Tap& tap : taps) sum += x[tap.from];
    const int64_t count = op.count_pads ? padded : static_cast<int64_t>(taps.size());
    return count == 0 ? T(0) : sum / static_cast<T>(count);
  }
}

// ONNX numbers maxima in the whole of x, channels first; column_major: the spatial axes the other way round.
int64_t flat_index(const Pooled& pooled, int64_t image, int64_t offset) {
  const ImageView& x = pooled.x;
  const int64_t plane = product(x.spatial);
  if (offset < 0) return 0;
  int64_t index = 0, rest = offset, scale = 1;
  std::vector<int64_t> at(x.spatial.size());
  for (size_t axis = 0; axis < at.size(); ++axis) {
    at[axis] = rest / x.spatial_strides[axis];
    rest %= x.spatial_strides[axis];
  }
  for (size_t i = 0; i < at.size(); ++i) {
    const size_t axis = pooled.op.column_major ? i : at.size() - 1 - i;
    index += at[axis] * scale;
    scale *= x.spatial[axis];
  }
  return image * plane + index;
}

template <class T>
void pool_images(const Pooled& pooled, const T* x, T* y, int64_t* indices, ThreadPool& pool) {
  const ImageView& view = pooled.x;
  if (view.batch * view.channels == 0) return;
  const Taps taps(pooled.axes, view.spatial_strides);
  const int64_t windows = taps.windows();
  const bool first = view.order == ImageOrder::channels_first, counts = pooled.op.count_pads;
  pool.parallel_for(windows, 1 + windows / 16, [&](int64_t begin, int64_t end, int) {
    std::vector<Tap> here;
    int64_t padded = 0, index = 0;
    for (int64_t w = begin; w < end; ++w) {
      taps.at(w, here, counts ? &padded : nullptr);
      for (int64_t i = 0; i < view.batch * view.channels; ++i) {
        const int64_t n = i / view.channels, c = i % view.channels;
        const T* from = x + n * view.batch_stride + c * view.channel_stride;
        const int64_t to = first ? i * windows + w : (n * windows + w) * view.channels + c;
        y[to] =
            pooled.op.kind == PoolKind::max ? max_of(here, from, index) : window_value(pooled.op, here, padded, from);
        if (indices != nullptr) indices[to] = flat_index(pooled, i, index);
      }
    }
  });
}

}  // namespace

Status run(const Pool& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(const ImageView view, view_image(x, op.window.order));
  if (op.kind == PoolKind::lp && op.p < 1) return invalid_input("expected p of at least 1, got {}", op.p);
  Window whole;
  whole.order = op.window.order;
  const Window& window = op.global ? whole : op.window;
  for (const int64_t size : view.spatial)
    if (op.global && size < 1) return invalid_input("expected an image, got {}", text_of(x.shape()));
  HALFTONE_ASSIGN(const WindowAxes axes, place_windows(window, op.global ? view.spatial : window.kernel, view.spatial));
  Shape spatial;
  for (const WindowAxis& axis : axes) spatial.push_back(axis.out);
  const Shape shape = view.shape(view.channels, spatial);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), shape));
  Tensor indices;
  if (op.kind == PoolKind::max && context.outputs.size() > 1) {
    HALFTONE_ASSIGN(indices, Tensor::make(DType::i64, shape));
  }
  HALFTONE_TRY(with_numbers(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    if (!std::is_floating_point_v<T> && op.kind == PoolKind::lp)
      return unsupported("expected floats, got {}", halftone::name_of(x.type()));
    pool_images(Pooled{op, view, axes}, data<T>(x), mutable_data<T>(y),
                indices.present() ? mutable_data<int64_t>(indices) : nullptr, context.pool);
    return {};
  }));
  put(context, 0, std::move(y));
  if (indices.present()) put(context, 1, std::move(indices));
  return {};
}

Status run(const MaxUnpool& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor &x = context.input(0), &indices = context.input(1);
  if (indices.type() != DType::i64 || indices.shape() != x.shape())
    return invalid_input("indices: expected i64 of {}, got {} of {}", text_of(x.shape()),
                         halftone::name_of(indices.type()), text_of(indices.shape()));
  HALFTONE_ASSIGN(const ImageView view, view_image(x, ImageOrder::channels_first));
  Shape shape = x.shape();
  // The smallest image of which the windows are x; place_windows checks the lists on x itself.
  HALFTONE_TRY(place_windows(Window{op.window.kernel, op.window.strides, {}, op.window.kernel, op.window.kernel},
                             op.window.kernel, view.spatial)
                   .status());
  for (size_t i = 0; i < view.spatial.size(); ++i) {
    const int64_t stride = op.window.strides.empty() ? 1 : op.window.strides[i];
    const int64_t pads = (i < op.window.pads_begin.size() ? op.window.pads_begin[i] : 0) +
                         (i < op.window.pads_end.size() ? op.window.pads_end[i] : 0);
    shape[i + 2] = (view.spatial[i] - 1) * stride + op.window.kernel[i] - pads;
  }
  const Shape natural = shape;
  if (context.input(2).present()) {
    HALFTONE_ASSIGN(shape, shape_of(context.input(2), "output shape"));
    if (shape.size() != natural.size())
      return invalid_input("output shape: expected {} sizes, got {}", natural.size(), text_of(shape));
  }
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), shape));
  std::ranges::fill(y.mutable_bytes(), std::byte{0});
  // Indices count in the natural shape.
  const Strides from = strides_of(natural), to = strides_of(shape);
  HALFTONE_TRY(with_size(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    const int64_t limit = product(natural);
    for (int64_t i = 0; i < x.elements(); ++i) {
      int64_t rest = data<int64_t>(indices)[i], offset = 0;
      if (rest < 0 || rest >= limit)
        return invalid_input("indices: expected [0, {}), got {} at element {}", limit, rest, i);
      for (size_t axis = 0; axis < shape.size(); ++axis) {
        const int64_t at = rest / from[axis];
        if (at >= shape[axis])
          return invalid_input("indices: expected a place within {}, got {} of axis {}", text_of(shape), at, axis);
        offset += at * to[axis];
        rest %= from[axis];
      }
      mutable_data<T>(y)[offset] = data<T>(x)[i];
    }
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
