// SPDX-License-Identifier: Apache-2.0
// Normalisations. Means and variances are summed in double.
#include <cmath>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/rows.h"
#include "runtime/network/ops/types.h"

namespace halftone::network::ops {
namespace {

struct Moments {
  double mean, inverse;  // 1 / deviation
};

template <class T>
Moments moments_of(const T* x, int64_t count, double epsilon) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]);
  const double mean = sum / static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) {
    const double difference = static_cast<double>(x[i]) - mean;
    squares += difference * difference;
  }
  return {mean, 1 / std::sqrt(squares / static_cast<double>(count) + epsilon)};
}

// Inputs `from`.. of x's type with `count` numbers each; absent ones are allowed where `optional`.
Status need_vectors(const OpContext& context, size_t from, size_t to, int64_t count, bool optional) {
  const Tensor& x = context.input(0);
  for (size_t i = from; i < to; ++i) {
    const Tensor& vector = context.input(i);
    if (optional && !vector.present()) continue;
    if (!vector.present() || vector.type() != x.type() || vector.elements() != count)
      return invalid_input("input {}: expected {} numbers of {}, got {}", i + 1, count, halftone::name_of(x.type()),
                           vector.present() ? text_of(vector.shape()) : "nothing");
  }
  return {};
}

// Groups of `group` channels of `inner` numbers: y = (x - mean) * inverse * scale[c / per_scale] + bias[c / per_scale].
template <class T>
void normalize_groups(const Rows& rows, int64_t group, int64_t per_scale, const T* x, const T* scale, const T* bias,
                      double epsilon, T* y) {
  const int64_t size = group * rows.inner, groups = rows.length / group;
  for (int64_t i = 0; i < rows.outer * groups; ++i) {
    const T* from = x + i * size;
    T* to = y + i * size;
    const Moments moments = moments_of(from, size, epsilon);
    for (int64_t k = 0; k < size; ++k) {
      const int64_t c = (i % groups * group + k / rows.inner) / per_scale;
      const double normal = (static_cast<double>(from[k]) - moments.mean) * moments.inverse;
      to[k] = static_cast<T>(normal * static_cast<double>(scale[c]) + static_cast<double>(bias[c]));
    }
  }
}

Status group_norm(int64_t groups, float epsilon, OpContext& context) {
  HALFTONE_TRY(need(context, 3));
  const Tensor& x = context.input(0);
  if (x.rank() < 2) return invalid_input("expected an image of 2 axes or more, got {}", text_of(x.shape()));
  const int64_t channels = x.dim(1), parts = groups == 0 ? channels : groups;
  if (parts < 1 || channels % parts != 0)
    return invalid_input("expected channels in {} groups, got {}", parts, text_of(x.shape()));
  const bool per_group = context.input(1).elements() == parts;
  HALFTONE_TRY(need_vectors(context, 1, 3, per_group ? parts : channels, false));
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  HALFTONE_TRY(with_floats(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    if (y.elements() == 0) return {};
    normalize_groups(rows_along(x.shape(), 1), channels / parts, per_group ? channels / parts : 1, data<T>(x),
                     data<T>(context.input(1)), data<T>(context.input(2)), static_cast<double>(epsilon),
                     mutable_data<T>(y));
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

// A scale or bias of normalised axes: broadcasts to them.
Status need_normal_shape(const Tensor& x, const Tensor& vector, int64_t axis, std::string_view what) {
  if (!vector.present()) return {};
  if (vector.type() != x.type())
    return invalid_input("{}: expected {}, got {}", what, halftone::name_of(x.type()),
                         halftone::name_of(vector.type()));
  const Shape normal(x.shape().begin() + axis, x.shape().end());
  if (vector.elements() == product(normal)) return {};
  return invalid_input("{}: expected {}, got {}", what, text_of(normal), text_of(vector.shape()));
}

}  // namespace

Status run(const BatchNorm& op, OpContext& context) {
  HALFTONE_TRY(need(context, 5));
  const Tensor& x = context.input(0);
  if (x.rank() < 1) return invalid_input("expected an image, got one number");
  const int64_t axis = op.order == ImageOrder::channels_last ? x.rank() - 1 : std::min<int64_t>(1, x.rank() - 1);
  const int64_t channels = x.rank() == 1 && op.order == ImageOrder::channels_first ? 1 : x.dim(axis);
  for (size_t i = 1; i < 5; ++i) {
    if (context.input(i).type() == x.type() || context.input(i).type() == DType::f32) continue;
    return invalid_input("input {}: expected {}, got {}", i + 1, halftone::name_of(x.type()),
                         halftone::name_of(context.input(i).type()));
  }
  std::vector<Tensor> vectors(4);
  for (size_t i = 0; i < 4; ++i) {
    HALFTONE_ASSIGN(vectors[i], convert(context.input(i + 1), x.type()));
    if (vectors[i].elements() != channels)
      return invalid_input("input {}: expected {} numbers, one per channel, got {}", i + 2, channels,
                           text_of(vectors[i].shape()));
  }
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  const Rows rows = x.rank() == 1 ? Rows{x.elements(), channels, 1} : rows_along(x.shape(), axis);
  HALFTONE_TRY(with_floats(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    const auto epsilon = static_cast<T>(op.epsilon);
    const int64_t lines = y.elements() == 0 ? 0 : rows.outer * rows.length;
    context.pool.parallel_for(lines, 1 + (1 << 14) / (rows.inner + 1), [&](int64_t begin, int64_t end, int) {
      for (int64_t line = begin; line < end; ++line) {
        const int64_t c = line % rows.length;
        const T factor = data<T>(vectors[0])[c] / std::sqrt(data<T>(vectors[3])[c] + epsilon);
        const T mean = data<T>(vectors[2])[c], bias = data<T>(vectors[1])[c];
        const T* from = data<T>(x) + line * rows.inner;
        T* to = mutable_data<T>(y) + line * rows.inner;
        for (int64_t i = 0; i < rows.inner; ++i) to[i] = (from[i] - mean) * factor + bias;
      }
    });
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

Status run(const InstanceNorm& op, OpContext& context) { return group_norm(0, op.epsilon, context); }

Status run(const GroupNorm& op, OpContext& context) {
  if (op.groups < 1) return invalid_input("expected groups, got {}", op.groups);
  return group_norm(op.groups, op.epsilon, context);
}

Status run(const LayerNorm& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor &x = context.input(0), &scale = context.input(1), &bias = context.input(2);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.axis, x.rank()));
  HALFTONE_TRY(need_normal_shape(x, scale, axis, "scale"));
  HALFTONE_TRY(need_normal_shape(x, bias, axis, "bias"));
  const Rows rows = rows_along(x.shape(), axis, x.rank() - axis);
  Shape reduced = x.shape();
  std::fill(reduced.begin() + axis, reduced.end(), 1);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  HALFTONE_ASSIGN(Tensor means, Tensor::make(DType::f32, reduced));
  HALFTONE_ASSIGN(Tensor inverses, Tensor::make(DType::f32, reduced));
  HALFTONE_TRY(with_floats(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    context.pool.parallel_for(y.elements() == 0 ? 0 : rows.outer, 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) {
        const T* from = data<T>(x) + row * rows.length;
        T* to = mutable_data<T>(y) + row * rows.length;
        const Moments moments = moments_of(from, rows.length, static_cast<double>(op.epsilon));
        mutable_data<float>(means)[row] = static_cast<float>(moments.mean);
        mutable_data<float>(inverses)[row] = static_cast<float>(moments.inverse);
        for (int64_t i = 0; i < rows.length; ++i) {
          double value = (static_cast<double>(from[i]) - moments.mean) * moments.inverse;
          if (scale.present()) value *= static_cast<double>(data<T>(scale)[i]);
          if (bias.present()) value += static_cast<double>(data<T>(bias)[i]);
          to[i] = static_cast<T>(value);
        }
      }
    });
    return {};
  }));
  put(context, 0, std::move(y));
  put(context, 1, std::move(means));
  put(context, 2, std::move(inverses));
  return {};
}

Status run(const RmsNorm& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor &x = context.input(0), &scale = context.input(1);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.axis, x.rank()));
  HALFTONE_TRY(need_normal_shape(x, scale, axis, "scale"));
  const Rows rows = rows_along(x.shape(), axis, x.rank() - axis);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  HALFTONE_TRY(with_floats(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    for (int64_t row = 0; y.elements() > 0 && row < rows.outer; ++row) {
      const T* from = data<T>(x) + row * rows.length;
      double squares = 0;
      for (int64_t i = 0; i < rows.length; ++i) squares += static_cast<double>(from[i]) * static_cast<double>(from[i]);
      const double inverse =
          1 / std::sqrt(squares / static_cast<double>(rows.length) + static_cast<double>(op.epsilon));
      for (int64_t i = 0; i < rows.length; ++i)
        mutable_data<T>(y)[row * rows.length + i] =
            static_cast<T>(static_cast<double>(from[i]) * inverse * static_cast<double>(data<T>(scale)[i]));
    }
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

Status run(const LpNorm& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(const int64_t axis, axis_of(op.axis, x.rank()));
  if (op.p != 1 && op.p != 2) return invalid_input("expected p of 1 or 2, got {}", op.p);
  const Rows rows = rows_along(x.shape(), axis);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  HALFTONE_TRY(with_floats(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    for (int64_t row = 0; y.elements() > 0 && row < rows.count(); ++row) {
      const T* from = data<T>(x) + rows.begin(row);
      double sum = 0;
      for (int64_t i = 0; i < rows.length; ++i) {
        const auto value = static_cast<double>(from[i * rows.inner]);
        sum += op.p == 1 ? std::abs(value) : value * value;
      }
      const double norm = op.p == 1 ? sum : std::sqrt(sum);
      for (int64_t i = 0; i < rows.length; ++i)  // nothing stays nothing
        mutable_data<T>(y)[rows.begin(row) + i * rows.inner] =
            norm == 0 ? T(0) : static_cast<T>(static_cast<double>(from[i * rows.inner]) / norm);
    }
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

Status run(const LocalResponseNorm& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  if (x.rank() < 2 || op.size < 1)
    return invalid_input("expected an image and a size of at least 1, got {} and {}", text_of(x.shape()), op.size);
  const Rows rows = rows_along(x.shape(), 1);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  HALFTONE_TRY(with_floats(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    for (int64_t i = 0; i < x.elements(); ++i) {
      const int64_t c = i / rows.inner % rows.length, row = i - c * rows.inner;
      const int64_t first = std::max<int64_t>(c - (op.size - 1) / 2, 0);
      const int64_t last = std::min(op.size / 2, rows.length - 1 - c) + c;
      double squares = 0;
      for (int64_t k = first; k <= last; ++k) {
        const auto value = static_cast<double>(data<T>(x)[row + k * rows.inner]);
        squares += value * value;
      }
      const double base =
          static_cast<double>(op.bias) + static_cast<double>(op.alpha) / static_cast<double>(op.size) * squares;
      mutable_data<T>(y)[i] =
          static_cast<T>(static_cast<double>(data<T>(x)[i]) / std::pow(base, static_cast<double>(op.beta)));
    }
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
