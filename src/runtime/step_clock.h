// SPDX-License-Identifier: Apache-2.0
// Times every step of an executor while a profile is taken. Private to the room.
#pragma once

#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include "runtime/plan.h"
#include "runtime/profile.h"

namespace halftone {

// A token of the chunk in flight, as attention sees it.
struct Reach {
  int64_t position;
  int64_t shared;  // at the last token of a sequence: how many of the chunk are of that sequence; else 0
  KvType kv;
};

class StepClock {
 public:
  explicit StepClock(const Model& model) : model_(model) {}
  void begin_chunk(std::vector<Reach> tokens) { tokens_ = std::move(tokens); }
  // The time since the last lap goes to `step`, which ran for `count` tokens.
  void lap(const Step& step, int64_t count);
  void lap(std::string_view stretch);
  std::vector<StepTotal> take_totals() { return std::move(totals_); }  // in order of first execution

 private:
  using Clock = std::chrono::steady_clock;
  double seconds_since_last();

  const Model& model_;
  Clock::time_point last_ = Clock::now();
  std::vector<Reach> tokens_;
  std::map<const Step*, size_t> steps_;  // places in totals_
  std::map<std::string_view, size_t> stretches_;
  std::vector<StepTotal> totals_;
};

}  // namespace halftone
