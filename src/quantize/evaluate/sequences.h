// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace halftone {

// Texts that are computed together. Each starts at position 0 and sees only its own tokens.
struct Sequences {
  std::vector<int32_t> tokens;  // of all, one after the other
  std::vector<int64_t> begins;  // index of each one's first token; the first is 0, ascending

  int64_t size() const { return static_cast<int64_t>(tokens.size()); }
  int64_t count() const { return static_cast<int64_t>(begins.size()); }
  int64_t begin(int64_t i) const { return begins[static_cast<size_t>(i)]; }
  int64_t end(int64_t i) const { return i + 1 < count() ? begin(i + 1) : size(); }
  int64_t length(int64_t i) const { return end(i) - begin(i); }
  int64_t longest() const {
    int64_t most = 0;
    for (int64_t i = 0; i < count(); ++i) most = std::max(most, length(i));
    return most;
  }
};

}  // namespace halftone
