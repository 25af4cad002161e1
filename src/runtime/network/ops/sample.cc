// SPDX-License-Identifier: Apache-2.0
// Images read at places between their pixels.
#include <array>
#include <cmath>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/shapes.h"
#include "runtime/network/ops/types.h"
#include "runtime/network/ops/windows.h"

namespace halftone::network::ops {
namespace {

// At most four pixels of one axis; -1 is a zero.
struct AxisTaps {
  int64_t count = 0;
  std::array<int64_t, 4> at{};
  std::array<double, 4> weight{};

  void add(int64_t place, double factor) {
    at[static_cast<size_t>(count)] = place;
    weight[static_cast<size_t>(count++)] = factor;
  }
};

double reflect(double x, double least, double most) {
  const double range = most - least;
  if (range <= 0) return least;
  const double way = std::fmod(std::abs(x - least), 2 * range);
  return least + (way > range ? 2 * range - way : way);
}

class GridAxis {
 public:
  GridAxis(const GridSample& op, int64_t size)
      : op_(op),
        size_(static_cast<double>(size)),
        least_(op.align_corners ? 0 : -0.5),
        most_(op.align_corners ? size_ - 1 : size_ - 0.5) {}

  // Of a coordinate in [-1, 1].
  AxisTaps taps(double coordinate) const {
    AxisTaps taps;
    double x = op_.align_corners ? (coordinate + 1) / 2 * (size_ - 1) : ((coordinate + 1) * size_ - 1) / 2;
    if (!std::isfinite(x)) x = -4;  // outside
    if (op_.mode == ResizeMode::nearest) x = std::nearbyint(x);
    if (x < least_ || x > most_) {
      if (op_.padding == GridPadding::border) x = std::clamp(x, 0.0, size_ - 1);
      if (op_.padding == GridPadding::reflection) x = reflect(x, least_, most_);
    }
    x = std::clamp(x, -4.0, size_ + 4);
    const double left = std::floor(x), part = x - left;
    if (op_.mode == ResizeMode::nearest) {
      taps.add(pixel(std::nearbyint(x)), 1);
    } else if (op_.mode == ResizeMode::linear) {
      taps.add(pixel(left), 1 - part);
      taps.add(pixel(left + 1), part);
    } else {
      for (int k = -1; k <= 2; ++k) taps.add(pixel(left + k), cubic(std::abs(part - k)));
    }
    return taps;
  }

 private:
  int64_t pixel(double x) const {
    if (x < 0 || x > size_ - 1) {
      if (op_.padding == GridPadding::zeros) return -1;
      if (op_.padding == GridPadding::reflection) x = std::trunc(reflect(x, least_, most_));
      x = std::clamp(x, 0.0, size_ - 1);
    }
    return static_cast<int64_t>(x);
  }
  static double cubic(double x) {
    constexpr double kA = -0.75;
    if (x <= 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
    return x < 2 ? ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA : 0;
  }

  const GridSample& op_;
  double size_, least_, most_;
};

template <class T>
double blend(const std::vector<AxisTaps>& taps, const Strides& strides, size_t axis, const T* x, int64_t offset) {
  if (axis == taps.size()) return static_cast<double>(x[offset]);
  double sum = 0;
  for (size_t k = 0; k < static_cast<size_t>(taps[axis].count); ++k) {
    const int64_t at = taps[axis].at[k];
    if (at >= 0) sum += taps[axis].weight[k] * blend(taps, strides, axis + 1, x, offset + at * strides[axis]);
  }
  return sum;
}

}  // namespace

Status run(const GridSample& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor &x = context.input(0), &grid = context.input(1);
  HALFTONE_ASSIGN(const ImageView view, view_image(x, ImageOrder::channels_first));
  const size_t axes = view.spatial.size();
  if (axes == 0 || grid.rank() != x.rank() || grid.dim(0) != x.dim(0) || grid.dim(grid.rank() - 1) != x.rank() - 2)
    return invalid_input("grid: expected {} images' places of {} coordinates, got {}", x.dim(0), axes,
                         text_of(grid.shape()));
  const Shape places(grid.shape().begin() + 1, grid.shape().end() - 1);
  std::vector<GridAxis> grids;
  for (const int64_t size : view.spatial) {
    if (size == 0) return invalid_input("expected an image, got {}", text_of(x.shape()));
    grids.emplace_back(op, size);
  }
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), view.shape(view.channels, places)));
  HALFTONE_ASSIGN(const Tensor coordinates, convert(grid, DType::f64));
  const int64_t count = product(places);
  return with_floats(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    const int64_t all = y.elements() == 0 ? 0 : view.batch * count;
    context.pool.parallel_for(all, 64, [&](int64_t begin, int64_t end, int) {
      std::vector<AxisTaps> taps(axes);
      for (int64_t i = begin; i < end; ++i) {
        // The last axis has the first coordinate.
        for (size_t axis = 0; axis < axes; ++axis)
          taps[axis] = grids[axis].taps(
              data<double>(coordinates)[i * static_cast<int64_t>(axes) + static_cast<int64_t>(axes - 1 - axis)]);
        for (int64_t c = 0; c < view.channels; ++c) {
          const int64_t plane = i / count * view.batch_stride + c * view.channel_stride;
          mutable_data<T>(y)[(i / count * view.channels + c) * count + i % count] =
              static_cast<T>(blend(taps, view.spatial_strides, 0, data<T>(x), plane));
        }
      }
    });
    put(context, 0, std::move(y));
    return {};
  });
}

Status run(const AffineGrid& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor& theta = context.input(0);
  HALFTONE_ASSIGN(const Shape size, shape_of(context.input(1), "size"));
  const auto axes = static_cast<int64_t>(size.size()) - 2;
  if ((axes != 2 && axes != 3) || theta.shape() != Shape{size[0], axes, axes + 1})
    return invalid_input("expected matrices for images of 2 or 3 axes, got {} for {}", text_of(theta.shape()),
                         text_of(size));
  Shape shape = {size[0]};
  shape.insert(shape.end(), size.begin() + 2, size.end());
  shape.push_back(axes);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(theta.type(), shape));
  const int64_t count = y.elements() == 0 ? 0 : y.elements() / axes / size[0];
  return with_floats(theta.type(), [&](auto type) -> Status {
    using T = decltype(type);
    for (int64_t i = 0; i < count * size[0]; ++i) {
      double place[3] = {};  // x first
      int64_t rest = i % count;
      for (int64_t k = 0; k < axes; ++k) {
        const int64_t length = size[static_cast<size_t>(axes + 1 - k)], at = rest % length;
        rest /= length;
        const auto steps = static_cast<double>(op.align_corners ? std::max<int64_t>(length - 1, 1) : length);
        place[k] = -1 + (2 * static_cast<double>(at) + (op.align_corners ? 0 : 1)) / steps;
      }
      for (int64_t k = 0; k < axes; ++k) {
        const T* row = data<T>(theta) + (i / count * axes + k) * (axes + 1);
        auto sum = static_cast<double>(row[axes]);
        for (int64_t j = 0; j < axes; ++j) sum += static_cast<double>(row[j]) * place[j];
        mutable_data<T>(y)[i * axes + k] = static_cast<T>(sum);
      }
    }
    put(context, 0, std::move(y));
    return {};
  });
}

namespace {

// The four pixels around (y, x), as RoiAlign defines them; weights of 0 outside.
struct Corner {
  int64_t at = 0;
  double weight = 0;
};
std::array<Corner, 4> corners_of(double y, double x, int64_t height, int64_t width) {
  if (!(y >= -1 && y <= static_cast<double>(height) && x >= -1 && x <= static_cast<double>(width))) return {};
  y = std::clamp(y, 0.0, static_cast<double>(height - 1));
  x = std::clamp(x, 0.0, static_cast<double>(width - 1));
  const auto top = static_cast<int64_t>(y), left = static_cast<int64_t>(x);
  const int64_t bottom = std::min(top + 1, height - 1), right = std::min(left + 1, width - 1);
  const double down = y - static_cast<double>(top), across = x - static_cast<double>(left);
  return {Corner{top * width + left, (1 - down) * (1 - across)}, Corner{top * width + right, (1 - down) * across},
          Corner{bottom * width + left, down * (1 - across)}, Corner{bottom * width + right, down * across}};
}

struct Bins {
  double top, left, bin_height, bin_width;
  int64_t rows, columns;  // samples of a bin
};

Result<Bins> bins_of(const RoiAlign& op, const double* roi) {
  const double offset = op.half_pixel ? 0.5 : 0, scale = static_cast<double>(op.scale);
  double width = (roi[2] - roi[0]) * scale, height = (roi[3] - roi[1]) * scale;
  if (!op.half_pixel) {
    width = std::max(width, 1.0);
    height = std::max(height, 1.0);
  }
  Bins bins{roi[1] * scale - offset,
            roi[0] * scale - offset,
            height / static_cast<double>(op.height),
            width / static_cast<double>(op.width),
            op.sampling,
            op.sampling};
  if (!(std::abs(bins.bin_height) <= 1 << 20 && std::abs(bins.bin_width) <= 1 << 20))
    return invalid_input("rois: expected boxes of an image, got {} x {}", width, height);
  if (op.sampling == 0) {
    bins.rows = static_cast<int64_t>(std::ceil(bins.bin_height));
    bins.columns = static_cast<int64_t>(std::ceil(bins.bin_width));
  }
  return bins;
}

template <class T>
double bin_value(const RoiAlign& op, const Bins& bins, int64_t row, int64_t column, const T* x, int64_t height,
                 int64_t width) {
  double sum = 0, most = 0;
  bool first = true;
  for (int64_t i = 0; i < bins.rows; ++i) {
    for (int64_t j = 0; j < bins.columns; ++j) {
      const double part_y = (static_cast<double>(i) + 0.5) / static_cast<double>(bins.rows),
                   part_x = (static_cast<double>(j) + 0.5) / static_cast<double>(bins.columns);
      const auto corners =
          corners_of(bins.top + (static_cast<double>(row) + part_y) * bins.bin_height,
                     bins.left + (static_cast<double>(column) + part_x) * bins.bin_width, height, width);
      for (const Corner& corner : corners) {
        const double value = corner.weight * static_cast<double>(x[corner.at]);
        sum += value;
        most = first ? value : std::max(most, value);
        first = false;
      }
    }
  }
  return op.max ? most : sum / static_cast<double>(std::max<int64_t>(bins.rows * bins.columns, 1));
}

}  // namespace

Status run(const RoiAlign& op, OpContext& context) {
  HALFTONE_TRY(need(context, 3));
  const Tensor &x = context.input(0), &rois = context.input(1);
  if (x.rank() != 4 || x.dim(2) == 0 || x.dim(3) == 0 || rois.rank() != 2 || rois.dim(1) != 4 || op.height < 1 ||
      op.width < 1 || op.sampling < 0 || op.sampling > 1 << 16)
    return invalid_input("expected images, boxes of 4 numbers and bins, got {}, {} and {} x {} of {} samples",
                         text_of(x.shape()), text_of(rois.shape()), op.height, op.width, op.sampling);
  HALFTONE_ASSIGN(const std::vector<int64_t> images, integers_of(context.input(2), "batch indices"));
  if (static_cast<int64_t>(images.size()) != rois.dim(0))
    return invalid_input("batch indices: expected {}, got {}", rois.dim(0), images.size());
  HALFTONE_ASSIGN(const Tensor boxes, convert(rois, DType::f64));
  const int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), {rois.dim(0), channels, op.height, op.width}));
  return with_floats(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    T* to = mutable_data<T>(y);
    for (size_t i = 0; i < images.size(); ++i) {
      if (images[i] < 0 || images[i] >= x.dim(0))
        return invalid_input("batch indices: expected [0, {}), got {}", x.dim(0), images[i]);
      HALFTONE_ASSIGN(const Bins bins, bins_of(op, data<double>(boxes) + 4 * i));
      for (int64_t c = 0; c < channels; ++c) {
        const T* plane = data<T>(x) + (images[i] * channels + c) * height * width;
        for (int64_t bin = 0; bin < op.height * op.width; ++bin)
          *to++ = static_cast<T>(bin_value(op, bins, bin / op.width, bin % op.width, plane, height, width));
      }
    }
    put(context, 0, std::move(y));
    return {};
  });
}

}  // namespace halftone::network::ops
