// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/shapes.h"
#include "runtime/network/ops/types.h"

namespace halftone::network::ops {
namespace {

constexpr int64_t kBlock = 1024;

// Blocks go through the widest type of their kind: double holds every float.
template <class From, class Wide>
void read_block(const std::byte* bytes, int64_t at, int64_t count, Wide* to) {
  const From* from = reinterpret_cast<const From*>(bytes) + at;
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<Wide>(from[i]);
}

void read_floats(DType type, const std::byte* bytes, int64_t at, int64_t count, double* to) {
  if (type == DType::f64) return read_block<double>(bytes, at, count, to);
  if (type == DType::f32) return read_block<float>(bytes, at, count, to);
  const auto* from = reinterpret_cast<const uint16_t*>(bytes) + at;
  for (int64_t i = 0; i < count; ++i) to[i] = type == DType::f16 ? f16_to_f32(from[i]) : bf16_to_f32(from[i]);
}

void read_integers(DType type, const std::byte* bytes, int64_t at, int64_t count, int64_t* to) {
  switch (type) {
    case DType::i64:
    case DType::u64:
      return read_block<int64_t>(bytes, at, count, to);
    case DType::i32:
      return read_block<int32_t>(bytes, at, count, to);
    case DType::i16:
      return read_block<int16_t>(bytes, at, count, to);
    case DType::i8:
      return read_block<int8_t>(bytes, at, count, to);
    case DType::u32:
      return read_block<uint32_t>(bytes, at, count, to);
    case DType::u16:
      return read_block<uint16_t>(bytes, at, count, to);
    default:
      return read_block<uint8_t>(bytes, at, count, to);
  }
}

// Odd where it is not exact, so that a second rounding sees on which side of a tie the number was.
float round_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) == value || !std::isfinite(nearest)) return nearest;
  const bool away = std::fabs(static_cast<double>(nearest)) > std::fabs(value);
  const float down = away ? std::nextafter(nearest, 0.0F) : nearest;
  uint32_t bits;
  std::memcpy(&bits, &down, sizeof bits);
  bits |= 1;
  float odd;
  std::memcpy(&odd, &bits, sizeof odd);
  return odd;
}

template <class To, class Wide>
void write_block(const Wide* from, std::byte* bytes, int64_t at, int64_t count) {
  To* to = reinterpret_cast<To*>(bytes) + at;
  for (int64_t i = 0; i < count; ++i) {
    if constexpr (std::is_same_v<To, bool>)
      to[i] = from[i] != 0;
    else
      to[i] = static_cast<To>(from[i]);
  }
}

void write_floats(DType type, const double* from, std::byte* bytes, int64_t at, int64_t count) {
  if (type == DType::f64) return write_block<double>(from, bytes, at, count);
  if (type == DType::f32) return write_block<float>(from, bytes, at, count);
  auto* to = reinterpret_cast<uint16_t*>(bytes) + at;
  for (int64_t i = 0; i < count; ++i) {
    const float value = round_to_odd(from[i]);
    to[i] = type == DType::f16 ? f32_to_f16(value) : f32_to_bf16(value);
  }
}

void write_integers(DType type, const int64_t* from, std::byte* bytes, int64_t at, int64_t count) {
  switch (type) {
    case DType::boolean:
      return write_block<bool>(from, bytes, at, count);
    case DType::i64:
    case DType::u64:
      return write_block<int64_t>(from, bytes, at, count);
    case DType::i32:
    case DType::u32:
      return write_block<int32_t>(from, bytes, at, count);
    case DType::i16:
    case DType::u16:
      return write_block<int16_t>(from, bytes, at, count);
    default:
      return write_block<int8_t>(from, bytes, at, count);
  }
}

bool is_float(DType type) {
  return type == DType::f64 || type == DType::f32 || type == DType::f16 || type == DType::bf16;
}

// Truncates; what no 64-bit integer holds becomes the nearest one that does, a NaN 0.
int64_t truncate(double value, bool to_unsigned) {
  if (std::isnan(value)) return 0;
  if (to_unsigned && value >= 0x1p63)
    return static_cast<int64_t>(value >= 0x1p64 ? UINT64_MAX : static_cast<uint64_t>(value));
  if (value >= 0x1p63) return INT64_MAX;
  return value <= -0x1p63 ? INT64_MIN : static_cast<int64_t>(value);
}

void convert_block(DType from, const std::byte* x, DType to, std::byte* y, int64_t at, int64_t count) {
  double floats[kBlock];
  int64_t integers[kBlock];
  if (is_float(from)) {
    read_floats(from, x, at, count, floats);
    if (is_float(to)) return write_floats(to, floats, y, at, count);
    for (int64_t i = 0; i < count; ++i)
      integers[i] = to == DType::boolean ? floats[i] != 0 : truncate(floats[i], to == DType::u64);
    return write_integers(to, integers, y, at, count);
  }
  read_integers(from, x, at, count, integers);
  if (!is_float(to)) return write_integers(to, integers, y, at, count);
  // A large integer is rounded once, not to double and then to float.
  const bool odd = to == DType::f32;
  for (int64_t i = 0; i < count; ++i) {
    if (odd)
      floats[i] =
          from == DType::u64 ? static_cast<float>(static_cast<uint64_t>(integers[i])) : static_cast<float>(integers[i]);
    else
      floats[i] = from == DType::u64 ? static_cast<double>(static_cast<uint64_t>(integers[i]))
                                     : static_cast<double>(integers[i]);
  }
  write_floats(to, floats, y, at, count);
}

}  // namespace

DType wide(DType type) {
  switch (type) {
    case DType::f64:
      return DType::f64;
    case DType::f32:
    case DType::f16:
    case DType::bf16:
      return DType::f32;
    case DType::i64:
    case DType::i32:
    case DType::i16:
    case DType::i8:
      return DType::i64;
    default:
      return DType::u64;
  }
}

Result<Tensor> convert(const Tensor& x, DType to) {
  if (x.type() == to) return x;
  HALFTONE_ASSIGN(Tensor y, Tensor::make(to, x.shape()));
  const int64_t count = x.elements();
  for (int64_t at = 0; at < count; at += kBlock)
    convert_block(x.type(), x.bytes().data(), to, y.mutable_bytes().data(), at, std::min(kBlock, count - at));
  return y;
}

Status run(const Cast& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  HALFTONE_ASSIGN(Tensor y, convert(context.input(0), op.to));
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
