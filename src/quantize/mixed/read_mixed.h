// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "base/yaml.h"
#include "halftone/status.h"
#include "quantize/mixed/mixed_options.h"
#include "quantize/recipe.h"

namespace halftone {

// The key `mixed` of a recipe, checked; empty where there is none.
Result<std::optional<MixedOptions>> read_mixed(YamlMap& recipe);

// What presets and --target-bits choose from.
MixedOptions default_mixed();
std::string mixed_yaml(const MixedOptions& options);  // "mixed: {...}\n"

// The recipe with this target (exactly one is above 0). One without a mixed part gets the presets' candidates and
// method for what its rule for everything took; its other rules and its tuning stay. note: says so, else empty.
struct TargetedRecipe {
  Recipe recipe;
  std::string note;
};
TargetedRecipe with_target(Recipe recipe, double target_bits, int64_t max_bytes);

}  // namespace halftone
