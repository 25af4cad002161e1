// SPDX-License-Identifier: Apache-2.0
// Numbers and codes: x = (q - zero) * scale, with a scale for all, for each slice of an axis, or for each block of one.
#include <cmath>
#include <limits>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/rows.h"
#include "runtime/network/ops/types.h"

namespace halftone::network::ops {
namespace {

// Which scale an element has.
struct Scales {
  Rows rows{1, 1, 1};
  int64_t block = 0, per_row = 1;  // block 0: of the whole tensor

  int64_t index(int64_t element) const {
    if (block == 0) return 0;
    const int64_t along = element / rows.inner % rows.length / block;
    if (per_row == 0) return along;
    return (element / (rows.inner * rows.length) * per_row + along) * rows.inner + element % rows.inner;
  }
};

Result<Scales> scales_of(const Tensor& x, const Tensor& scale, const Tensor& zero, int64_t axis, int64_t block) {
  if (zero.present() && zero.shape() != scale.shape() && !(zero.elements() == 1 && scale.elements() == 1))
    return invalid_input("zero point: expected {} as the scale, got {}", text_of(scale.shape()), text_of(zero.shape()));
  Scales scales;
  if (scale.elements() == 1 && (block == 0 || x.rank() == 0)) return scales;
  HALFTONE_ASSIGN(axis, axis_of(axis, x.rank()));
  scales.rows = rows_along(x.shape(), axis);
  const int64_t length = x.dim(axis);
  Shape expected = {length};
  scales.block = 1;
  scales.per_row = 0;
  if (scale.rank() != 1 || block != 0) {
    expected = x.shape();
    if (block < 0) return invalid_input("expected a block size, got {}", block);
    if (block == 0 && scale.rank() == x.rank() && scale.dim(axis) > 0)
      block = (length + scale.dim(axis) - 1) / scale.dim(axis);
    scales.block = std::max<int64_t>(block, 1);
    scales.per_row = (length + scales.block - 1) / scales.block;
    expected[static_cast<size_t>(axis)] = scales.per_row;
  }
  if (scale.shape() != expected)
    return invalid_input("scale: expected one number or {}, got {}", text_of(expected), text_of(scale.shape()));
  return scales;
}

struct Limits {
  double least, most;
};
Result<Limits> limits_of(DType type) {
  switch (type) {
    case DType::i8:
      return Limits{-128, 127};
    case DType::u8:
      return Limits{0, 255};
    case DType::i16:
      return Limits{-32768, 32767};
    case DType::u16:
      return Limits{0, 65535};
    case DType::i32:
      return Limits{-2147483648.0, 2147483647};
    default:
      return unsupported("expected codes of 8, 16 or 32 bits, got {}", halftone::name_of(type));
  }
}

}  // namespace

Status run(const Quantize& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor &x = context.input(0), &scale = context.input(1), &zero = context.input(2);
  HALFTONE_ASSIGN(const Limits limits, limits_of(op.to));
  if (zero.present() && zero.type() != op.to)
    return invalid_input("zero point: expected {}, got {}", halftone::name_of(op.to), halftone::name_of(zero.type()));
  HALFTONE_ASSIGN(const Scales scales, scales_of(x, scale, zero, op.axis, op.block));
  HALFTONE_ASSIGN(const Tensor numbers, convert(x, DType::f32));
  HALFTONE_ASSIGN(const Tensor steps, convert(scale, DType::f32));
  HALFTONE_ASSIGN(const Tensor zeros, zero.present() ? convert(zero, DType::i64) : Result<Tensor>(Tensor()));
  HALFTONE_ASSIGN(Tensor codes, Tensor::make(DType::i32, x.shape()));
  const auto from = numbers.values<float>(), step = steps.values<float>();
  const auto to = codes.mutable_values<int32_t>();
  context.pool.parallel_for(x.elements(), 1 << 14, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const auto s = static_cast<size_t>(scales.index(i));
      const auto offset = zero.present() ? static_cast<double>(zeros.values<int64_t>()[s]) : 0.0;
      const double code = static_cast<double>(std::nearbyint(from[static_cast<size_t>(i)] / step[s])) + offset;
      // A NaN becomes the zero point.
      to[static_cast<size_t>(i)] =
          static_cast<int32_t>(std::isnan(code) ? offset : std::min(std::max(code, limits.least), limits.most));
    }
  });
  HALFTONE_ASSIGN(Tensor y, convert(codes, op.to));
  put(context, 0, std::move(y));
  return {};
}

Status run(const Dequantize& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor &q = context.input(0), &scale = context.input(1), &zero = context.input(2);
  HALFTONE_TRY(limits_of(q.type()).status());
  HALFTONE_ASSIGN(const Scales scales, scales_of(q, scale, zero, op.axis, op.block));
  if (zero.present() && zero.type() != q.type())
    return invalid_input("zero point: expected {}, got {}", halftone::name_of(q.type()),
                         halftone::name_of(zero.type()));
  HALFTONE_ASSIGN(const Tensor codes, convert(q, DType::i32));
  HALFTONE_ASSIGN(const Tensor steps, convert(scale, DType::f32));
  HALFTONE_ASSIGN(const Tensor zeros, zero.present() ? convert(zero, DType::i32) : Result<Tensor>(Tensor()));
  HALFTONE_ASSIGN(Tensor numbers, Tensor::make(DType::f32, q.shape()));
  const auto from = codes.values<int32_t>();
  const auto step = steps.values<float>();
  const auto to = numbers.mutable_values<float>();
  context.pool.parallel_for(q.elements(), 1 << 14, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const auto s = static_cast<size_t>(scales.index(i));
      const int64_t offset = zero.present() ? zeros.values<int32_t>()[s] : 0;
      to[static_cast<size_t>(i)] = static_cast<float>(from[static_cast<size_t>(i)] - offset) * step[s];
    }
  });
  HALFTONE_ASSIGN(Tensor y, convert(numbers, scale.type()));
  put(context, 0, std::move(y));
  return {};
}

Status run(const DynamicQuantize&, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  if (x.type() != DType::f32) return unsupported("expected f32, got {}", halftone::name_of(x.type()));
  float least = 0, most = 0;
  for (const float value : x.values<float>()) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
  const float scale = (most - least) / 255;
  if (!std::isfinite(scale))
    return invalid_input("expected numbers, got an infinity or a range of more than f32 holds");
  const auto zero =
      static_cast<uint8_t>(scale == 0 ? 0.0F : std::min(std::max(std::nearbyint(-least / scale), 0.0F), 255.0F));
  const Tensor scale_tensor = Tensor::of<float>(DType::f32, {}, std::array{scale});
  const Tensor zero_tensor = Tensor::of<uint8_t>(DType::u8, {}, std::array{zero});
  HALFTONE_ASSIGN(Tensor codes, Tensor::make(DType::u8, x.shape()));
  const auto from = x.values<float>();
  const auto to = codes.mutable_values<uint8_t>();
  for (size_t i = 0; i < from.size(); ++i) {
    const float code = scale == 0 ? 0 : std::nearbyint(from[i] / scale) + static_cast<float>(zero);
    to[i] = static_cast<uint8_t>(std::isnan(code) ? static_cast<float>(zero) : std::min(std::max(code, 0.0F), 255.0F));
  }
  put(context, 0, std::move(codes));
  put(context, 1, scale_tensor);
  put(context, 2, zero_tensor);
  return {};
}

}  // namespace halftone::network::ops
