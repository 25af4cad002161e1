// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/bench.h"

namespace halftone::cli {

// One line per model and one line per comparison with the first.
std::string bench_table(const BenchReport& report, bool colour);
// Per model and phase: a line per kind of step with its share, what it moves and computes, and how near to its limit.
std::string profile_tables(const BenchReport& report, bool colour);
std::string limits_table(const MachineLimits& limits, bool colour);
std::string short_name(const std::string& model_path);  // "out/llama-int4.ht" -> "llama-int4"

}  // namespace halftone::cli
