// SPDX-License-Identifier: Apache-2.0
#include "base/cores.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "base/numbers.h"
#include "base/thread_pool.h"

#ifdef __linux__
#include <sched.h>

#include <cerrno>
#include <vector>
#endif

namespace halftone {
namespace fs = std::filesystem;

namespace {

std::optional<int> whole_cores(std::string_view quota, std::string_view period) {
  const auto q = parse_number(quota), p = parse_number(period);
  if (!q || !p || *q <= 0 || *p <= 0) return std::nullopt;  // "max" and -1 mean no limit
  // Rounded down: one thread too many is stopped for the rest of every period, and the others wait for it.
  return static_cast<int>(std::clamp(*q / *p, 1.0, 1e6));
}

std::string first_word(const fs::path& file) {
  std::ifstream stream(file);
  std::string word;
  stream >> word;
  return word;
}

std::optional<int> limit_in(const fs::path& folder) {
  std::ifstream stream(folder / "cpu.max");
  std::string quota, period;
  if (stream >> quota >> period) return whole_cores(quota, period);
  return whole_cores(first_word(folder / "cpu.cfs_quota_us"), first_word(folder / "cpu.cfs_period_us"));
}

void tighten(std::optional<int>& limit, const fs::path& root, const std::string& group) {
  // Inside a container the named group may lie outside of what is mounted; the root then holds our own limit.
  for (fs::path path = fs::path(group).relative_path();; path = path.parent_path()) {
    if (const auto here = limit_in(root / path)) limit = std::min(limit.value_or(*here), *here);
    if (path.empty()) return;
  }
}

int scheduled_cores() {
#ifdef __linux__
  for (size_t cpus = 1024; cpus <= size_t{1} << 20; cpus *= 2) {
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    std::vector<cpu_set_t> set((bytes + sizeof(cpu_set_t) - 1) / sizeof(cpu_set_t));
    if (sched_getaffinity(0, bytes, set.data()) == 0) return std::max(1, CPU_COUNT_S(bytes, set.data()));
    if (errno != EINVAL) break;  // EINVAL: the machine has more than fit
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

std::optional<int> cgroup_cores(const fs::path& membership, const fs::path& mount) {
  std::optional<int> limit;
  std::ifstream stream(membership);
  for (std::string line; std::getline(stream, line);) {  // "0::/group" or "4:cpu,cpuacct:/group"
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      tighten(limit, mount, group);
      continue;
    }
    std::istringstream names(controllers);
    for (std::string name; std::getline(names, name, ',');) {
      if (name != "cpu") continue;
      tighten(limit, mount / controllers, group);
      if (controllers != name) tighten(limit, mount / name, group);
    }
  }
  return limit;
}

int available_cores() {
  const int cores = scheduled_cores();
  return std::min(cores, cgroup_cores("/proc/self/cgroup", "/sys/fs/cgroup").value_or(cores));
}

}  // namespace halftone
