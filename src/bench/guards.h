// SPDX-License-Identifier: Apache-2.0
// What makes a measurement worthless: a debug build, a busy or swapping machine.
#pragma once

#include <string>
#include <vector>

#include "bench/bench.h"
#include "device/machine.h"

namespace halftone {

// Before the measurement: an error, or with allow_noisy a warning.
Status check_machine(const BenchOptions& options, std::vector<std::string>& warnings);

// Watches from its construction on.
class NoiseWatch {
 public:
  NoiseWatch() : faults_(memory_counters()) {}
  void warn(std::vector<std::string>& warnings) const;  // of what happened since

 private:
  LoadWatch load_;
  std::optional<MemoryCounters> faults_;
};

// An earlier probe of this machine gave clearly more than this run: neighbours, power settings or heat.
void warn_of_weak_machine(const BenchReport& report, std::vector<std::string>& warnings);

}  // namespace halftone
