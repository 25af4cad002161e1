// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace halftone {

// The decision in one sentence for people, from the results of report.json.
std::string decision_sentence(const nlohmann::ordered_json& results);

}  // namespace halftone
