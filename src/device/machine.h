// SPDX-License-Identifier: Apache-2.0
// Facts about this machine, measured or read. Every reading that the system does not give is absent, never a guess.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "base/thread_pool.h"

namespace halftone {

struct MachineInfo {
  std::string cpu, system, compiler, build;  // build: "release", "debug", "sanitized"
  int cores = 0;
  int64_t memory_bytes = 0, l1_bytes = 0, l2_bytes = 0, l3_bytes = 0;
};
MachineInfo machine_info();

// Of this process, now. Private: anonymous memory that only we hold (weights mapped from files are not in it).
struct MemoryCounters {
  int64_t private_bytes = 0, mapped_file_bytes = 0, resident_bytes = 0;
  int64_t peak_resident_bytes = 0;  // since the start of the process
  int64_t major_faults = 0, swapped_bytes = 0;
};
std::optional<MemoryCounters> memory_counters();

// Samples private and mapped bytes from a thread of its own (every few ms) and keeps the peaks.
class MemoryPeak {
 public:
  MemoryPeak();
  ~MemoryPeak();
  MemoryPeak(const MemoryPeak&) = delete;
  struct Peaks {
    int64_t private_bytes = 0, mapped_file_bytes = 0;
  };
  Peaks stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What the system is busy with besides us: load average, other processes' CPU share in the last interval, CPU frequency limits.
struct LoadState {
  double load_average_1min = 0;
  double other_cpu_fraction = 0;  // of all cores, over the sampling interval
  bool swapping = false;
};
std::optional<LoadState> load_state(double interval_seconds);

}  // namespace halftone
