// SPDX-License-Identifier: Apache-2.0
// Images in another size, one axis after the other: every output of an axis is a weighted sum of a few inputs.
#include <cmath>
#include <numeric>

#include "runtime/network/ops/move.h"
#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/rows.h"
#include "runtime/network/ops/types.h"

namespace halftone::network::ops {
namespace {

struct ResizedAxis {
  int64_t in, out;
  double scale = 1, roi_begin = 0, roi_end = 1;
};

// Where output `o` lies on the axis of the input.
double source_of(const Resize& op, const ResizedAxis& axis, int64_t o) {
  const auto in = static_cast<double>(axis.in), at = static_cast<double>(o);
  const double out = axis.scale * in;
  const double half = (at + 0.5) / axis.scale - 0.5;
  switch (op.coordinates) {
    case CoordinateMode::half_pixel:
      return half;
    case CoordinateMode::half_pixel_symmetric:
      return in / 2 * (1 - static_cast<double>(axis.out) / out) + half;
    case CoordinateMode::pytorch_half_pixel:
      return axis.out == 1 ? -0.5 : half;
    case CoordinateMode::align_corners:
      return axis.out == 1 ? 0 : at * (in - 1) / (out - 1);
    case CoordinateMode::asymmetric:
      return at / axis.scale;
    case CoordinateMode::crop_and_resize: {
      const double span = (axis.roi_end - axis.roi_begin) * (in - 1);
      return axis.roi_begin * (in - 1) + (axis.out == 1 ? span / 2 : at * span / (static_cast<double>(axis.out) - 1));
    }
  }
  return half;
}

double kernel_weight(const Resize& op, double distance) {
  const double x = std::abs(distance), a = static_cast<double>(op.cubic_a);
  if (op.mode == ResizeMode::linear) return std::max(1 - x, 0.0);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

int64_t nearest_of(NearestMode mode, double x) {
  switch (mode) {
    case NearestMode::round_prefer_floor:
      return static_cast<int64_t>(std::ceil(x - 0.5));
    case NearestMode::round_prefer_ceil:
      return static_cast<int64_t>(std::floor(x + 0.5));
    case NearestMode::floor:
      return static_cast<int64_t>(std::floor(x));
    case NearestMode::ceil:
      return static_cast<int64_t>(std::ceil(x));
  }
  return 0;
}

struct WeightedTap {
  int64_t from;
  double weight;
};

// The inputs of every output; none: the value for what lies outside.
std::vector<std::vector<WeightedTap>> taps_of(const Resize& op, const ResizedAxis& axis) {
  std::vector<std::vector<WeightedTap>> all(static_cast<size_t>(axis.out));
  const double support = op.mode == ResizeMode::linear ? 1 : 2;
  const double squeeze = op.antialias ? std::min(axis.scale, 1.0) : 1;
  const double last = static_cast<double>(axis.in) - 1;
  for (int64_t o = 0; o < axis.out; ++o) {
    const double x = source_of(op, axis, o);
    std::vector<WeightedTap>& taps = all[static_cast<size_t>(o)];
    if (op.coordinates == CoordinateMode::crop_and_resize && !(x >= 0 && x <= last)) continue;
    if (op.mode == ResizeMode::nearest) {
      const double bounded = std::clamp(x, -1.0, last + 1);
      taps.push_back({std::clamp<int64_t>(nearest_of(op.nearest, bounded), 0, axis.in - 1), 1});
      continue;
    }
    // Taps beyond the edge repeat it; those far beyond are many and the same.
    const double bounded = std::clamp(x, -2 * support / squeeze, last + 2 * support / squeeze);
    double sum = 0;
    for (auto i = static_cast<int64_t>(std::floor(bounded - support / squeeze)) + 1;
         static_cast<double>(i) < bounded + support / squeeze; ++i) {
      const bool outside = i < 0 || i >= axis.in;
      const double weight =
          op.exclude_outside && outside ? 0 : kernel_weight(op, (static_cast<double>(i) - bounded) * squeeze);
      taps.push_back({std::clamp<int64_t>(i, 0, axis.in - 1), weight});
      sum += weight;
    }
    for (WeightedTap& tap : taps) tap.weight /= sum;
  }
  return all;
}

template <class T>
void resize_axis(const Rows& rows, const std::vector<std::vector<WeightedTap>>& taps, float outside, const T* x, T* y,
                 ThreadPool& pool) {
  const auto out = static_cast<int64_t>(taps.size());
  pool.parallel_for(rows.outer * out, 1 + (1 << 12) / (rows.inner + 1), [&](int64_t begin, int64_t end, int) {
    std::vector<double> sum(static_cast<size_t>(rows.inner));
    for (int64_t i = begin; i < end; ++i) {
      const std::vector<WeightedTap>& here = taps[static_cast<size_t>(i % out)];
      std::ranges::fill(sum, here.empty() ? static_cast<double>(outside) : 0);
      for (const WeightedTap& tap : here) {
        const T* from = x + (i / out * rows.length + tap.from) * rows.inner;
        for (size_t k = 0; k < sum.size(); ++k) sum[k] += tap.weight * static_cast<double>(from[k]);
      }
      T* to = y + i * rows.inner;
      for (size_t k = 0; k < sum.size(); ++k) to[k] = static_cast<T>(sum[k]);
    }
  });
}

// As many numbers as axes; an empty input is none.
Result<std::vector<double>> listed(const Tensor& x, size_t count, std::string_view what) {
  std::vector<double> list;
  if (!x.present() || x.elements() == 0) return list;
  HALFTONE_ASSIGN(const Tensor numbers, convert(x, DType::f64));
  const auto values = numbers.values<double>();
  list.assign(values.begin(), values.end());
  if (list.size() != count) return invalid_input("{}: expected {} numbers, got {}", what, count, list.size());
  for (const double value : list)
    if (!std::isfinite(value)) return invalid_input("{}: expected numbers, got {}", what, value);
  return list;
}

Status place(const Resize& op, const std::vector<double>& scales, const std::vector<double>& sizes,
             const std::vector<double>& roi, const std::vector<int64_t>& axes, std::vector<ResizedAxis>& all) {
  double common = 0;
  for (size_t i = 0; i < sizes.size() && op.aspect != AspectPolicy::stretch; ++i) {
    const double scale = sizes[i] / static_cast<double>(all[static_cast<size_t>(axes[i])].in);
    const bool better = op.aspect == AspectPolicy::not_larger ? scale < common : scale > common;
    if (i == 0 || better) common = scale;
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizedAxis& axis = all[static_cast<size_t>(axes[i])];
    const auto in = static_cast<double>(axis.in);
    if (op.coordinates == CoordinateMode::crop_and_resize && !roi.empty()) {
      axis.roi_begin = roi[i];
      axis.roi_end = roi[i + axes.size()];
    }
    double out = 0;
    if (!sizes.empty()) {
      out = common > 0 ? std::floor(in * common + 0.5) : sizes[i];
      axis.scale = common > 0 ? common : out / in;
    } else {
      axis.scale = scales[i];
      out = std::floor(in * scales[i] *
                       (op.coordinates == CoordinateMode::crop_and_resize ? axis.roi_end - axis.roi_begin : 1));
    }
    if (!(out >= 0 && out <= INT32_MAX) || !(axis.scale > 0))
      return invalid_input("expected scales above 0 and an axis of at most {}, got {} and {}", INT32_MAX, axis.scale,
                           out);
    axis.out = static_cast<int64_t>(out);
  }
  return {};
}

}  // namespace

Status run(const Resize& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  Tensor x = context.input(0);
  std::vector<int64_t> axes = op.axes;
  if (axes.empty()) {
    axes.resize(x.shape().size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  HALFTONE_ASSIGN(axes, axes_of(axes, x.rank()));
  HALFTONE_ASSIGN(const std::vector<double> roi, listed(context.input(1), 2 * axes.size(), "roi"));
  HALFTONE_ASSIGN(const std::vector<double> scales, listed(context.input(2), axes.size(), "scales"));
  HALFTONE_ASSIGN(const std::vector<double> sizes, listed(context.input(3), axes.size(), "sizes"));
  if (scales.empty() == sizes.empty() && !axes.empty())
    return invalid_input("expected scales or sizes, got {}", scales.empty() ? "neither" : "both");
  std::vector<ResizedAxis> all;
  for (const int64_t size : x.shape()) {
    if (size == 0) return invalid_input("expected an image, got {}", text_of(x.shape()));
    all.push_back({size, size});
  }
  HALFTONE_TRY(place(op, scales, sizes, roi, axes, all));
  for (size_t a = 0; a < all.size(); ++a) {
    if (all[a].in == all[a].out && all[a].scale == 1 && op.coordinates != CoordinateMode::crop_and_resize) continue;
    const auto taps = taps_of(op, all[a]);
    const Rows rows = rows_along(x.shape(), static_cast<int64_t>(a));
    Shape shape = x.shape();
    shape[a] = all[a].out;
    HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), shape));
    if (op.mode == ResizeMode::nearest) {
      HALFTONE_TRY(with_numbers(x.type(), [&](auto type) -> Status {
        using T = decltype(type);
        resize_axis(rows, taps, op.outside, data<T>(x), mutable_data<T>(y), context.pool);
        return {};
      }));
    } else {
      HALFTONE_TRY(with_floats(x.type(), [&](auto type) -> Status {
        using T = decltype(type);
        resize_axis(rows, taps, op.outside, data<T>(x), mutable_data<T>(y), context.pool);
        return {};
      }));
    }
    x = std::move(y);
  }
  put(context, 0, std::move(x));
  return {};
}

}  // namespace halftone::network::ops
