// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace halftone {

// Passes text through until one of the stop strings appears, wherever the borders between pieces lie. Text that may be
// the beginning of a stop string is held back until it is known.
class StopFilter {
 public:
  explicit StopFilter(std::vector<std::string> stops) : stops_(std::move(stops)) {}  // REQUIRES: none is empty

  // Text that may be shown now. After a stop string was met: what came before it, and then nothing any more.
  std::string add(std::string_view text);
  std::string finish();  // the text still held back
  bool stopped() const { return stopped_; }

 private:
  size_t held_back() const;  // length of the longest end of held_ that begins a stop string

  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace halftone
