// SPDX-License-Identifier: Apache-2.0
#if defined(__APPLE__)

#include <mach/mach.h>
#include <malloc/malloc.h>
#include <sys/resource.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "device/system.h"

namespace halftone::system {
namespace {

std::string text_of(const char* name) {
  size_t size = 0;
  if (sysctlbyname(name, nullptr, &size, nullptr, 0) != 0 || size == 0) return {};
  std::string value(size, '\0');
  if (sysctlbyname(name, value.data(), &size, nullptr, 0) != 0) return {};
  return value.c_str();  // up to the terminating zero
}

// Some values are 32 and some 64 bits wide; the system says how many bytes it wrote.
int64_t integer_of(const char* name) {
  int64_t value = 0;
  size_t size = sizeof value;
  if (sysctlbyname(name, &value, &size, nullptr, 0) != 0) return 0;
  return size == sizeof(int32_t) ? static_cast<int32_t>(value) : value;
}

std::optional<task_vm_info_data_t> task_memory() {
  task_vm_info_data_t info{};
  mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
  if (task_info(mach_task_self(), TASK_VM_INFO, reinterpret_cast<task_info_t>(&info), &count) != KERN_SUCCESS) {
    return std::nullopt;
  }
  return info;
}

}  // namespace

void describe(MachineInfo& info) {
  info.cpu = text_of("machdep.cpu.brand_string");
  info.system = "macOS " + text_of("kern.osproductversion");
  info.memory_bytes = integer_of("hw.memsize");
  info.l1_bytes = integer_of("hw.l1dcachesize");
  info.l2_bytes = integer_of("hw.l2cachesize");
  info.l3_bytes = integer_of("hw.l3cachesize");
}

std::optional<MemoryCounters> exact_memory() {
  const auto info = task_memory();
  if (!info) return std::nullopt;
  MemoryCounters counters;
  counters.private_bytes = static_cast<int64_t>(info->internal);
  counters.mapped_file_bytes = static_cast<int64_t>(info->external);
  counters.resident_bytes = static_cast<int64_t>(info->resident_size);
  counters.peak_resident_bytes = static_cast<int64_t>(info->resident_size_peak);
  counters.swapped_bytes = static_cast<int64_t>(info->compressed);
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) counters.major_faults = usage.ru_majflt;
  return counters;
}

std::optional<MemoryPeak::Peaks> quick_memory() {
  const auto info = task_memory();
  if (!info) return std::nullopt;
  return MemoryPeak::Peaks{static_cast<int64_t>(info->internal), static_cast<int64_t>(info->external)};
}

void release_freed_memory() { malloc_zone_pressure_relief(nullptr, 0); }

std::optional<CpuTimes> cpu_times() {
  host_cpu_load_info_data_t load{};
  mach_msg_type_number_t count = HOST_CPU_LOAD_INFO_COUNT;
  const auto host = mach_host_self();
  if (host_statistics(host, HOST_CPU_LOAD_INFO, reinterpret_cast<host_info_t>(&load), &count) != KERN_SUCCESS) {
    return std::nullopt;
  }
  CpuTimes times;
  const double ticks = static_cast<double>(load.cpu_ticks[CPU_STATE_USER]) + load.cpu_ticks[CPU_STATE_SYSTEM] +
                       load.cpu_ticks[CPU_STATE_NICE];
  times.busy_seconds = ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  times.cores = static_cast<int>(integer_of("hw.logicalcpu"));
  vm_statistics64_data_t memory{};
  count = HOST_VM_INFO64_COUNT;
  if (host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&memory), &count) == KERN_SUCCESS) {
    times.swapped_pages = static_cast<int64_t>(memory.swapins + memory.swapouts);
  }
  return times;
}

std::optional<double> load_average() {
  double average = 0;
  if (getloadavg(&average, 1) != 1) return std::nullopt;
  return average;
}

std::optional<double> frequency_limit() { return std::nullopt; }

std::optional<bool> on_battery() { return std::nullopt; }

}  // namespace halftone::system

#endif
