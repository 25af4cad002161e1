// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

namespace halftone {

// Zeroed bytes, at a 64-byte boundary. A block of about a whole number of 2 MB lies on huge pages where the system
// gives them on request: data that is read in pieces far apart then costs fewer walks through page tables.
class LargeBlock {
 public:
  explicit LargeBlock(size_t bytes);
  LargeBlock(const LargeBlock& other);
  LargeBlock& operator=(const LargeBlock&) = delete;
  std::byte* data() { return data_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  size_t size_;
  std::unique_ptr<std::byte[], Free> data_;
};

}  // namespace halftone
