// SPDX-License-Identifier: Apache-2.0
#if !defined(__linux__) && !defined(__APPLE__)

#include "device/system.h"

namespace halftone::system {

void describe(MachineInfo&) {}
std::optional<MemoryCounters> exact_memory() { return std::nullopt; }
std::optional<MemoryPeak::Peaks> quick_memory() { return std::nullopt; }
void release_freed_memory() {}
std::optional<CpuTimes> cpu_times() { return std::nullopt; }
std::optional<double> load_average() { return std::nullopt; }
std::optional<double> frequency_limit() { return std::nullopt; }
std::optional<bool> on_battery() { return std::nullopt; }

}  // namespace halftone::system

#endif
