// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace halftone {

// What every JSON document of ours is wrapped in: {"halftone": version, "verb", "machine", "settings", "results"}
// (docs/schema/envelope.json). `settings` are the effective values.
nlohmann::ordered_json make_envelope(std::string_view verb, nlohmann::ordered_json settings,
                                     nlohmann::ordered_json results);

// This machine and the instruction set in use.
nlohmann::ordered_json machine_json();

}  // namespace halftone
