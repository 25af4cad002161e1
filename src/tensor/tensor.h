// SPDX-License-Identifier: Apache-2.0
// A dense array of numbers of a network: row-major, contiguous, native byte order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "halftone/status.h"
#include "tensor/dtype.h"

namespace halftone {

using Shape = std::vector<int64_t>;

int64_t elements_of(std::span<const int64_t> shape);  // 1 of no dimension. REQUIRES: the product fits
std::string text_of(std::span<const int64_t> shape);  // "[1, 49, 10]"

// The element type in which C++ computes with a DType; f16 and bf16 are their bits.
template <class T>
constexpr bool holds(DType type);

// A value: copies share the numbers, which are written only by whoever made them, before anybody else sees them.
class Tensor {
 public:
  Tensor() = default;  // absent: an optional input that a node does not have
  // Uninitialised, aligned to 64 bytes. An error when `shape` is negative or asks for more than `limit_bytes`.
  static Result<Tensor> make(DType type, Shape shape, int64_t limit_bytes = kLimitBytes);
  // Numbers of a mapped file, which `keep` holds; copied where they are not aligned for their type.
  static Result<Tensor> map(DType type, Shape shape, std::span<const std::byte> bytes,
                            std::shared_ptr<const void> keep);
  template <class T>
  static Tensor of(DType type, Shape shape, std::span<const T> values);

  static constexpr int64_t kLimitBytes = int64_t{1} << 36;

  bool present() const { return data_ != nullptr; }
  DType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  int64_t rank() const { return static_cast<int64_t>(shape_.size()); }
  int64_t dim(int64_t axis) const { return shape_[static_cast<size_t>(axis)]; }
  int64_t elements() const { return elements_of(shape_); }
  int64_t size_bytes() const { return elements() * bytes_of(type_); }

  std::span<const std::byte> bytes() const { return {data_.get(), static_cast<size_t>(size_bytes())}; }
  // REQUIRES: holds<T>(type()).
  template <class T>
  std::span<const T> values() const {
    HALFTONE_CHECK(holds<T>(type_));
    return {reinterpret_cast<const T*>(data_.get()), static_cast<size_t>(elements())};
  }
  // For whoever made the tensor.
  std::span<std::byte> mutable_bytes() {
    return {const_cast<std::byte*>(data_.get()), static_cast<size_t>(size_bytes())};
  }
  template <class T>
  std::span<T> mutable_values() {
    HALFTONE_CHECK(holds<T>(type_));
    return {reinterpret_cast<T*>(const_cast<std::byte*>(data_.get())), static_cast<size_t>(elements())};
  }
  // The same numbers in another shape. REQUIRES: as many elements.
  Tensor reshaped(Shape shape) const;

 private:
  DType type_ = DType::f32;
  Shape shape_;
  std::shared_ptr<const std::byte> data_;
};

template <class T>
constexpr bool holds(DType type) {
  switch (type) {
    case DType::f64:
      return std::is_same_v<T, double>;
    case DType::f32:
      return std::is_same_v<T, float>;
    case DType::f16:
    case DType::bf16:
    case DType::u16:
      return std::is_same_v<T, uint16_t>;
    case DType::i64:
      return std::is_same_v<T, int64_t>;
    case DType::i32:
      return std::is_same_v<T, int32_t>;
    case DType::i16:
      return std::is_same_v<T, int16_t>;
    case DType::i8:
      return std::is_same_v<T, int8_t>;
    case DType::u64:
      return std::is_same_v<T, uint64_t>;
    case DType::u32:
      return std::is_same_v<T, uint32_t>;
    case DType::u8:
      return std::is_same_v<T, uint8_t>;
    case DType::boolean:
      return std::is_same_v<T, bool>;
  }
  return false;
}

template <class T>
Tensor Tensor::of(DType type, Shape shape, std::span<const T> values) {
  HALFTONE_CHECK(static_cast<size_t>(elements_of(shape)) == values.size());
  Result<Tensor> made = make(type, std::move(shape));
  HALFTONE_CHECK(made.ok());
  std::ranges::copy(values, made->mutable_values<T>().begin());
  return *std::move(made);
}

}  // namespace halftone
