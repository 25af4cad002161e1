// SPDX-License-Identifier: Apache-2.0
#include "base/progress.h"

namespace halftone {
namespace {

class NoProgress final : public Progress {
 public:
  void begin(std::string_view, int64_t, std::string_view) override {}
  void advance(int64_t) override {}
  void end() override {}
};

}  // namespace

Progress& no_progress() {
  static NoProgress instance;
  return instance;
}

}  // namespace halftone
