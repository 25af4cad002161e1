// SPDX-License-Identifier: Apache-2.0
#include "quantize/activations/options.h"

#include <fmt/format.h>

#include "base/error.h"

namespace halftone {

std::string_view name_of(RangeRule rule) {
  constexpr std::string_view kNames[] = {"error", "percentile", "max"};
  return kNames[static_cast<int>(rule)];
}

nlohmann::ordered_json ActivationOptions::to_json() const {
  nlohmann::ordered_json json = {{"bits", bits}, {"range", name_of(rule)}};
  if (rule == RangeRule::percentile) json["percentile"] = percentile;
  return json;
}

Result<ActivationOptions> read_activation_options(YamlMap& recipe) {
  ActivationOptions options;
  if (!recipe.has("activations")) return options;
  HALFTONE_ASSIGN(YamlMap map, recipe.map("activations"));
  HALFTONE_ASSIGN(const int64_t bits, map.integer("bits"));
  if (bits != 8 && bits != 16) return map.error("bits", fmt::format("expected 8 or 16 bits, got {}", bits));
  options.bits = static_cast<int32_t>(bits);
  HALFTONE_ASSIGN(const std::string rule, map.text("range", std::string(name_of(options.rule))));
  bool is_known = false;
  for (const RangeRule known : {RangeRule::error, RangeRule::percentile, RangeRule::max}) {
    if (rule != name_of(known)) continue;
    options.rule = known;
    is_known = true;
  }
  if (!is_known) return map.error("range", fmt::format("expected error, percentile or max, got '{}'", rule));
  if (map.has("percentile")) {
    if (options.rule != RangeRule::percentile)
      return map.error("percentile", fmt::format("expected it with range: percentile only, got range: {}", rule));
    HALFTONE_ASSIGN(options.percentile, map.number("percentile"));
    if (!(options.percentile >= 50 && options.percentile <= 100))
      return map.error("percentile", fmt::format("expected 50 to 100, got {}", options.percentile));
  }
  HALFTONE_TRY(map.finish());
  return options;
}

}  // namespace halftone
