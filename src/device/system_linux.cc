// SPDX-License-Identifier: Apache-2.0
#if defined(__linux__)

#include <malloc.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

#include "device/system.h"

namespace halftone::system {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<int64_t> integer_of(const std::string& text) {
  char* end = nullptr;
  const long long value = std::strtoll(text.c_str(), &end, 10);
  if (end == text.c_str()) return std::nullopt;
  return value;
}

// The text behind the first `key` + separator of a file like /proc/cpuinfo.
std::string value_after(const fs::path& path, std::string_view key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t at = line.find(separator);
    if (at == std::string::npos || line.compare(0, key.size(), key) != 0) continue;
    const size_t begin = line.find_first_not_of(" \t\"", at + 1);
    if (begin == std::string::npos) return {};
    return line.substr(begin, line.find_last_not_of(" \t\"") - begin + 1);
  }
  return {};
}

// "Name:   123 kB" lines in bytes.
std::map<std::string, int64_t, std::less<>> kilobyte_lines(const fs::path& path) {
  std::map<std::string, int64_t, std::less<>> values;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || line.size() < 3 || line.compare(line.size() - 2, 2, "kB") != 0) continue;
    if (const auto kilobytes = integer_of(line.substr(colon + 1))) values[line.substr(0, colon)] = *kilobytes * 1024;
  }
  return values;
}

int64_t value_or_zero(const std::map<std::string, int64_t, std::less<>>& values, std::string_view name) {
  const auto found = values.find(name);
  return found == values.end() ? 0 : found->second;
}

int64_t memory_limit() {
  int64_t bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    if (const auto limit = integer_of(first_line(path)); limit && *limit > 0) bytes = std::min(bytes, *limit);
  }
  return bytes;
}

void read_caches(MachineInfo& info) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/sys/devices/system/cpu/cpu0/cache", error)) {
    const std::string type = first_line(entry.path() / "type"), size = first_line(entry.path() / "size");
    const auto level = integer_of(first_line(entry.path() / "level"));
    const auto value = integer_of(size);
    if (!level || !value || type == "Instruction") continue;
    const int64_t bytes = *value * (size.back() == 'M' ? 1 << 20 : size.back() == 'K' ? 1 << 10 : 1);
    if (*level == 1) info.l1_bytes = bytes;
    if (*level == 2) info.l2_bytes = bytes;
    if (*level == 3) info.l3_bytes = bytes;
  }
}

}  // namespace

void describe(MachineInfo& info) {
  info.cpu = value_after("/proc/cpuinfo", "model name", ':');
  if (info.cpu.empty()) info.cpu = first_line("/proc/device-tree/model").c_str();  // boards; ends with a zero byte
  const std::string distribution = value_after("/etc/os-release", "PRETTY_NAME", '=');
  utsname kernel{};
  if (uname(&kernel) == 0) {
    info.system = distribution + (distribution.empty() ? "" : ", ") + kernel.sysname + " " + kernel.release;
  }
  info.memory_bytes = memory_limit();
  read_caches(info);
}

std::optional<MemoryCounters> exact_memory() {
  const auto status = kilobyte_lines("/proc/self/status");
  if (status.find("VmRSS") == status.end()) return std::nullopt;
  MemoryCounters counters;
  counters.resident_bytes = value_or_zero(status, "VmRSS");
  counters.private_bytes = value_or_zero(status, "RssAnon");
  counters.mapped_file_bytes = value_or_zero(status, "RssFile") + value_or_zero(status, "RssShmem");
  counters.peak_resident_bytes = value_or_zero(status, "VmHWM");
  counters.swapped_bytes = value_or_zero(status, "VmSwap");
  // status is kept per thread and may lag by 64 pages for each; the rollup counts page table entries.
  if (const auto rollup = kilobyte_lines("/proc/self/smaps_rollup"); rollup.find("Rss") != rollup.end()) {
    counters.resident_bytes = value_or_zero(rollup, "Rss");
    counters.private_bytes = value_or_zero(rollup, "Anonymous");
    counters.mapped_file_bytes = counters.resident_bytes - counters.private_bytes;
    counters.swapped_bytes = value_or_zero(rollup, "Swap");
    counters.peak_resident_bytes = std::max(counters.peak_resident_bytes, counters.resident_bytes);
  }
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) counters.major_faults = usage.ru_majflt;
  return counters;
}

std::optional<MemoryPeak::Peaks> quick_memory() {
  // statm: pages of size, resident, shared (file and shmem), ...
  std::ifstream file("/proc/self/statm");
  int64_t size = 0, resident = 0, shared = 0;
  if (!(file >> size >> resident >> shared)) return std::nullopt;
  const int64_t page_bytes = sysconf(_SC_PAGESIZE);
  return MemoryPeak::Peaks{(resident - shared) * page_bytes, shared * page_bytes};
}

void release_freed_memory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

std::optional<CpuTimes> cpu_times() {
  CpuTimes times;
  std::ifstream stat("/proc/stat");
  for (std::string line; std::getline(stat, line);) {
    if (line.compare(0, 3, "cpu") != 0) break;
    if (line.compare(0, 4, "cpu ") != 0) {
      ++times.cores;
      continue;
    }
    std::istringstream fields(line.substr(4));
    double user = 0, nice = 0, kernel = 0, idle = 0, wait = 0, irq = 0, soft_irq = 0, steal = 0;
    if (!(fields >> user >> nice >> kernel >> idle >> wait >> irq >> soft_irq)) return std::nullopt;
    fields >> steal;
    times.busy_seconds = (user + nice + kernel + irq + soft_irq + steal) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  if (times.cores == 0) return std::nullopt;
  std::ifstream vmstat("/proc/vmstat");
  for (std::string name, value; vmstat >> name >> value;) {
    if (name == "pswpin" || name == "pswpout") times.swapped_pages += integer_of(value).value_or(0);
  }
  return times;
}

std::optional<double> load_average() {
  double average = 0;
  if (getloadavg(&average, 1) != 1) return std::nullopt;
  return average;
}

std::optional<double> frequency_limit() {
  const fs::path folder = "/sys/devices/system/cpu/cpu0/cpufreq";
  const auto allowed = integer_of(first_line(folder / "scaling_max_freq"));
  const auto possible = integer_of(first_line(folder / "cpuinfo_max_freq"));
  if (!allowed || !possible || *possible <= 0) return std::nullopt;
  return static_cast<double>(*allowed) / static_cast<double>(*possible);
}

std::optional<bool> on_battery() {
  std::error_code error;
  std::optional<bool> result;
  for (const auto& supply : fs::directory_iterator("/sys/class/power_supply", error)) {
    if (first_line(supply.path() / "type") != "Mains") continue;
    const auto online = integer_of(first_line(supply.path() / "online"));
    if (online) result = result.value_or(true) && *online == 0;
  }
  return result;
}

}  // namespace halftone::system

#endif
