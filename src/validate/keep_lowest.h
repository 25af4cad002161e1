// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/hash.h"

namespace halftone {

// The max_samples entries whose ids hash lowest, in their old order: a fixed random sample that later rows cannot
// shift.
template <class T, class Id>
void keep_lowest(std::vector<T>& entries, int64_t max_samples, const Id& id_of) {
  if (max_samples == 0 || static_cast<int64_t>(entries.size()) <= max_samples) return;
  std::vector<uint64_t> hashes;
  for (const T& entry : entries) hashes.push_back(stable_hash64(id_of(entry)));
  std::vector<uint64_t> sorted = hashes;
  std::sort(sorted.begin(), sorted.end());
  const uint64_t last = sorted[max_samples - 1];
  size_t i = 0;
  std::erase_if(entries, [&](const T&) { return hashes[i++] > last; });
}

}  // namespace halftone
