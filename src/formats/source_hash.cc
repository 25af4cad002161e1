// SPDX-License-Identifier: Apache-2.0
#include "formats/source_hash.h"

#include <algorithm>
#include <utility>

namespace halftone {

int64_t SourceHash::total_bytes() const {
  int64_t total = 0;
  for (const auto& map : maps_) total += static_cast<int64_t>(map->bytes().size());
  return total;
}

void SourceHash::advance(int64_t bytes) {
  auto left = static_cast<size_t>(std::max<int64_t>(0, bytes));
  while (done_.size() < maps_.size()) {
    const FileMap& map = *maps_[done_.size()];
    const size_t part = std::min(left, map.bytes().size() - at_);
    hash_.add(map.bytes().subspan(at_, part));
    at_ += part;
    left -= part;
    if (at_ < map.bytes().size()) return;
    done_.push_back({map.path().filename().string(), static_cast<int64_t>(at_), std::exchange(hash_, Sha256()).hex()});
    at_ = 0;
  }
}

std::vector<SourceFile> SourceHash::finish() {
  advance(total_bytes());
  return std::move(done_);
}

}  // namespace halftone
