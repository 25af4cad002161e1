// SPDX-License-Identifier: Apache-2.0
// The walls of this machine per thread count, measured once and kept in a small file of the user's cache, with their
// spread. What is kept is for looking up and for noticing that a machine gives less today; a fraction of a limit is
// always taken of a limit that was measured beside it.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "halftone/status.h"

namespace halftone {

struct Spread {
  double median = 0, low = 0, high = 0;  // of the passes; all 0: the machine has no such instruction
};

struct ThreadLimits {
  int threads = 0;
  Spread read_bandwidth;               // bytes per second, a buffer of several times the last cache
  Spread int8_dot, bf16_dot, f32_fma;  // operations per second, a multiply-add is two
};

struct MachineLimits {
  std::string cpu, isa;  // isa: of the loops
  int cores = 0;
  std::string measured;                  // UTC time
  double other_cpu_fraction = 0;         // what others used of all cores meanwhile
  std::vector<ThreadLimits> by_threads;  // 1, 2, 4, ... cores
};

// Takes about 1 s per thread count, and memory of 4 last-level caches (at most a quarter of the machine's).
MachineLimits measure_limits();

// HALFTONE_CACHE, else XDG_CACHE_HOME/halftone, else ~/.cache/halftone. Empty when none of them is set.
std::filesystem::path cache_folder();
// What was stored for this CPU model, core count and ISA; nothing when there is none or it cannot be read.
std::optional<MachineLimits> cached_limits();
// Returns the file that it wrote.
Result<std::filesystem::path> store_limits(const MachineLimits& limits);

nlohmann::ordered_json to_json(const MachineLimits& limits);

}  // namespace halftone
