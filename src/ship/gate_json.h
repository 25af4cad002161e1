// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "validate/gate.h"

namespace halftone {

// The checks of a gate and their hash, as report.json keeps them.
nlohmann::ordered_json gate_json(const Gate& gate);
Result<Gate> gate_from_json(const nlohmann::ordered_json& json);

}  // namespace halftone
