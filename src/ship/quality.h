// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <span>

#include "validate/compare.h"

namespace halftone {

// What report.json says about one candidate on one part of the suites: the comparison, and what the page draws
// (distribution of the per-sample change, the worst samples' choices, counts of pairs). From records alone, the same
// bits every time; `recheck` calls this too.
nlohmann::ordered_json quality_json(const Comparison& comparison, std::span<const SampleRecord> records);

}  // namespace halftone
