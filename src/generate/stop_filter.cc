// SPDX-License-Identifier: Apache-2.0
#include "generate/stop_filter.h"

#include <algorithm>
#include <utility>

namespace halftone {

std::string StopFilter::add(std::string_view text) {
  if (stopped_) return {};
  held_.append(text);
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, held_.find(stop));
  if (first != std::string::npos) {
    stopped_ = true;
    held_.resize(first);
    return std::exchange(held_, {});
  }
  const size_t shown = held_.size() - held_back();
  std::string result = held_.substr(0, shown);
  held_.erase(0, shown);
  return result;
}

std::string StopFilter::finish() { return std::exchange(held_, {}); }

size_t StopFilter::held_back() const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    for (size_t length = std::min(stop.size() - 1, held_.size()); length > longest; --length) {
      if (held_.compare(held_.size() - length, length, stop, 0, length) == 0) longest = length;
    }
  }
  return longest;
}

}  // namespace halftone
