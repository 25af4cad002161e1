// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace halftone {

// Where long work tells how far it is. The library only calls it; the command line draws it.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void begin(std::string_view what, int64_t total, std::string_view unit) = 0;  // total 0: unknown
  virtual void advance(int64_t amount) = 0;
  virtual void end() = 0;
};

// Draws nothing. A default argument, so that callers need no null checks.
Progress& no_progress();

}  // namespace halftone
