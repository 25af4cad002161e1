// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "base/aligned.h"

namespace halftone {

// Buffers that are given back and taken again by size: fresh pages of the system cost as much as a norm.
class FloatBuffers {
 public:
  // Contents are undefined.
  AlignedBuffer<float> take(int64_t floats) {
    for (AlignedBuffer<float>& buffer : spare_) {
      if (static_cast<int64_t>(buffer.size()) != floats) continue;
      std::swap(buffer, spare_.back());
      AlignedBuffer<float> taken = std::move(spare_.back());
      spare_.pop_back();
      return taken;
    }
    return AlignedBuffer<float>(static_cast<size_t>(floats));
  }
  void give(AlignedBuffer<float>&& buffer) {
    if (buffer.size() > 0) spare_.push_back(std::move(buffer));
  }

 private:
  std::vector<AlignedBuffer<float>> spare_;
};

}  // namespace halftone
