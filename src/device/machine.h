// SPDX-License-Identifier: Apache-2.0
// Facts about this machine, measured or read. Every reading that the system does not give is absent, never a guess.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace halftone {

// Empty text and 0 mean that the system does not say.
struct MachineInfo {
  std::string cpu, system, compiler, build;  // build: "release", "debug", "sanitized"
  int cores = 0;                             // that this process may use
  int64_t memory_bytes = 0;                  // of the machine, or the limit of our control group where that is lower
  int64_t l1_bytes = 0, l2_bytes = 0, l3_bytes = 0;  // data caches as one core sees them
};
MachineInfo machine_info();
// The `machine` object of the JSON envelope; absent readings have no key.
nlohmann::ordered_json to_json(const MachineInfo& info);

// Of this process, now. Private: anonymous memory that only we hold (weights mapped from files are not in it).
struct MemoryCounters {
  int64_t private_bytes = 0, mapped_file_bytes = 0, resident_bytes = 0;
  int64_t peak_resident_bytes = 0;  // since the start of the process
  int64_t major_faults = 0, swapped_bytes = 0;
};
std::optional<MemoryCounters> memory_counters();

// Gives memory that was freed back to the system, where an allocator keeps it; else what one model freed would count as
// the next's.
void release_freed_memory();

// Samples private and mapped bytes from a thread of its own (every 2 ms) and keeps the peaks. Zeros where the system
// gives none.
class MemoryPeak {
 public:
  MemoryPeak();
  ~MemoryPeak();
  MemoryPeak(const MemoryPeak&) = delete;
  MemoryPeak& operator=(const MemoryPeak&) = delete;
  struct Peaks {
    int64_t private_bytes = 0, mapped_file_bytes = 0;
  };
  Peaks stop();  // ends the sampling; a second call gives the same peaks

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What the system is busy with besides us, over the sampling interval.
struct LoadState {
  double load_average_1min = 0;
  double other_cpu_fraction = 0;          // other processes' share of all cores, time stolen by a hypervisor included
  bool swapping = false;                  // pages went to or came from swap
  std::optional<double> frequency_limit;  // allowed over possible clock of core 0: 1 is unthrottled
  std::optional<bool> on_battery;
};
// Watches from its construction on. Counters tick every 10 ms, so below 0.1 s the fraction is coarse.
class LoadWatch {
 public:
  LoadWatch();
  ~LoadWatch();
  LoadWatch(const LoadWatch&) = delete;
  LoadWatch& operator=(const LoadWatch&) = delete;
  std::optional<LoadState> since_start() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};
// A watch over an interval that it sleeps through. REQUIRES: interval_seconds > 0
std::optional<LoadState> load_state(double interval_seconds);

}  // namespace halftone
