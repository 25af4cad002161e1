// SPDX-License-Identifier: Apache-2.0
#include "tensor/tensor.h"

#include <fmt/ranges.h>

#include <cstring>
#include <new>

namespace halftone {
namespace {

constexpr size_t kTensorAlignment = 64;

}  // namespace

int64_t elements_of(std::span<const int64_t> shape) {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

std::string text_of(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Result<Tensor> Tensor::make(DType type, Shape shape, int64_t limit_bytes) {
  int64_t bytes = bytes_of(type);
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, size, &bytes) || bytes > limit_bytes)
      return exhausted("[tensor] {} of {}: expected sizes of at most {} bytes together, got more (or a negative one)",
                       name_of(type), text_of(shape), limit_bytes);
  }
  Tensor tensor;
  tensor.type_ = type;
  tensor.shape_ = std::move(shape);
  // One byte more than none, so that an empty tensor is present.
  void* memory = ::operator new (static_cast<size_t>(bytes) + 1, std::align_val_t{kTensorAlignment}, std::nothrow);
  if (memory == nullptr) return exhausted("[tensor] {} of {}: no memory", name_of(type), text_of(tensor.shape_));
  tensor.data_ = std::shared_ptr<const std::byte>(static_cast<const std::byte*>(memory), [](const std::byte* data) {
    ::operator delete (const_cast<std::byte*>(data), std::align_val_t{kTensorAlignment});
  });
  return tensor;
}

Result<Tensor> Tensor::map(DType type, Shape shape, std::span<const std::byte> bytes,
                           std::shared_ptr<const void> keep) {
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  if (bytes.empty() || address % static_cast<uintptr_t>(bytes_of(type)) != 0) {
    HALFTONE_ASSIGN(Tensor copy, make(type, std::move(shape)));
    HALFTONE_CHECK(copy.mutable_bytes().size() == bytes.size());
    if (!bytes.empty()) std::memcpy(copy.mutable_bytes().data(), bytes.data(), bytes.size());
    return copy;
  }
  Tensor tensor;
  tensor.type_ = type;
  tensor.shape_ = std::move(shape);
  tensor.data_ = std::shared_ptr<const std::byte>(std::move(keep), bytes.data());
  HALFTONE_CHECK(static_cast<size_t>(tensor.size_bytes()) == bytes.size());
  return tensor;
}

Tensor Tensor::reshaped(Shape shape) const {
  HALFTONE_CHECK(elements_of(shape) == elements());
  Tensor tensor = *this;
  tensor.shape_ = std::move(shape);
  return tensor;
}

}  // namespace halftone
