// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/bench.h"

namespace halftone::cli {

// One line per model and one line per comparison with the first.
std::string bench_table(const BenchReport& report, bool colour);

}  // namespace halftone::cli
