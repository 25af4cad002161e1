// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "bench/runner.h"

namespace halftone {

// Rounds of one model as medians with intervals, into `result`. Doubtful figures become warnings.
void summarise(const Runner& runner, const std::vector<Round>& rounds, const BenchOptions& options, ModelBench& result,
               std::vector<std::string>& warnings);

}  // namespace halftone
