// SPDX-License-Identifier: Apache-2.0
#include "base/large_block.h"

#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace halftone {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

size_t rounded_to(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// A huge page is memory as a whole, so the last one must be nearly filled.
bool fills_huge_pages(size_t bytes) { return rounded_to(bytes, kHugePage) - bytes <= bytes / 16; }

}  // namespace

LargeBlock::LargeBlock(size_t bytes) : size_(bytes) {
  const size_t unit = bytes > 0 && fills_huge_pages(bytes) ? kHugePage : 64;
  const size_t whole = rounded_to(bytes == 0 ? 1 : bytes, unit);
  data_.reset(static_cast<std::byte*>(std::aligned_alloc(unit, whole)));
  if (data_ == nullptr) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (unit == kHugePage) ::madvise(data_.get(), whole, MADV_HUGEPAGE);  // advice: no error where there are none
#endif
  std::memset(data_.get(), 0, whole);
}

LargeBlock::LargeBlock(const LargeBlock& other) : LargeBlock(other.size_) {
  std::memcpy(data_.get(), other.data_.get(), size_);
}

void LargeBlock::Free::operator()(std::byte* data) const { std::free(data); }

}  // namespace halftone
