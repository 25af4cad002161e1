// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/yaml.h"
#include "halftone/status.h"

namespace halftone {

// How the range of an input follows from the magnitudes that calibration saw.
enum class RangeRule : uint8_t {
  error,       // least mean squared error of rounding and cutting
  percentile,  // so many of the magnitudes lie inside
  max,         // all of them do
};
std::string_view name_of(RangeRule rule);

// `activations: {bits: 8, range: error}` of a recipe.
struct ActivationOptions {
  int32_t bits = 0;  // 8 or 16; 0: no static ranges
  RangeRule rule = RangeRule::error;
  double percentile = 99.99;  // of RangeRule::percentile

  nlohmann::ordered_json to_json() const;
};

// Of a whole recipe; without the key: none.
Result<ActivationOptions> read_activation_options(YamlMap& recipe);

}  // namespace halftone
