// SPDX-License-Identifier: Apache-2.0
// What each operating system must answer for machine.h: system_linux.cc, system_macos.cc, system_other.cc.
#pragma once

#include <cstdint>
#include <optional>

#include "device/machine.h"

namespace halftone::system {

// Fills cpu, system, memory_bytes and the caches.
void describe(MachineInfo& info);

// Exact, and possibly slow (walks page tables).
std::optional<MemoryCounters> exact_memory();
// Private and mapped bytes only, in some 20 us; may lag by a fraction of a megabyte.
std::optional<MemoryPeak::Peaks> quick_memory();

void release_freed_memory();

// Counters since boot.
struct CpuTimes {
  double busy_seconds = 0;  // of all cores together
  int cores = 0;
  int64_t swapped_pages = 0;  // in and out
};
std::optional<CpuTimes> cpu_times();
std::optional<double> load_average();
std::optional<double> frequency_limit();
std::optional<bool> on_battery();

}  // namespace halftone::system
