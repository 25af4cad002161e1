// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "halftone/status.h"
#include "ship/job.h"

namespace halftone {

inline constexpr size_t kWorstShown = 6;  // on the page, per candidate

// Small PNGs of the worst samples that are pictures, as data URIs by suite and id: what the network saw. `results`
// holds the candidates and the sealed part. Empty: the suites have no pictures.
Result<nlohmann::ordered_json> worst_pictures(const ShipJob& job, const nlohmann::ordered_json& results);

}  // namespace halftone
