// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace halftone {

struct JsonDifference {
  std::string path, left, right;  // "quality.metrics.kl.delta", "0.1", "0.2"
};

// The first place, in the left document's order, where two documents differ. Key order does not matter. Adds the number
// of equal scalars seen before it to `equal`.
std::optional<JsonDifference> first_difference(const nlohmann::ordered_json& left, const nlohmann::ordered_json& right,
                                               const std::string& path, int64_t* equal);

}  // namespace halftone
