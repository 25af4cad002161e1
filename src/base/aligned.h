// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace halftone {

// An array of plain values at a 64-byte boundary, zeroed when created.
template <class T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size) : data_(allocate(size)), size_(size) {}
  AlignedBuffer(const AlignedBuffer& other) : AlignedBuffer(other.size_) {
    if (size_ > 0) std::memcpy(data_.get(), other.data_.get(), size_ * sizeof(T));
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  size_t size() const { return size_; }
  int64_t bytes() const { return static_cast<int64_t>(size_ * sizeof(T)); }
  // Contents are lost when it grows.
  void grow(size_t size) {
    if (size > size_) *this = AlignedBuffer(size);
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(T* data) const { ::operator delete(data, kAlignment); }
  };
  static std::unique_ptr<T[], Free> allocate(size_t size) {
    const size_t bytes = (size * sizeof(T) + 63) / 64 * 64;
    void* data = ::operator new(bytes == 0 ? 64 : bytes, kAlignment);
    std::memset(data, 0, bytes);
    return std::unique_ptr<T[], Free>(static_cast<T*>(data));
  }
  std::unique_ptr<T[], Free> data_;
  size_t size_ = 0;
};

}  // namespace halftone
