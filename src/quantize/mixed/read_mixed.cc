// SPDX-License-Identifier: Apache-2.0
#include "quantize/mixed/read_mixed.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "quantize/methods/method.h"

namespace halftone {
namespace {

constexpr LayoutId kDefaultLayouts[] = {LayoutId::int3_block32, LayoutId::int4_block32, LayoutId::int5_block32,
                                        LayoutId::int6_block32};

std::string or_nearest(std::string_view word, const std::vector<std::string>& known) {
  const std::string nearest = nearest_word(word, known);
  return nearest.empty() ? fmt::format("; known: {}", fmt::join(known, ", "))
                         : fmt::format("; did you mean {}?", nearest);
}

Status read_layouts(YamlMap& map, MixedOptions& options) {
  HALFTONE_ASSIGN(const std::vector<std::string> names, map.texts("layouts"));
  if (names.empty()) {
    options.layouts = default_mixed().layouts;
    return {};
  }
  for (const std::string& name : names) {
    const Layout* layout = find_layout(name);
    std::vector<std::string> known;
    for (const Layout* one : all_layouts()) known.emplace_back(one->name);
    if (layout == nullptr)
      return map.error("layouts", fmt::format("expected layouts, got '{}'{}", name, or_nearest(name, known)));
    if (std::find(options.layouts.begin(), options.layouts.end(), layout) != options.layouts.end())
      return map.error("layouts", fmt::format("expected each layout once, got {} twice", layout->name));
    options.layouts.push_back(layout);
  }
  if (options.layouts.size() < 2)
    return map.error("layouts", fmt::format("expected at least two layouts to choose from, got {}", names[0]));
  return {};
}

Status read_target(YamlMap& map, MixedOptions& options) {
  HALFTONE_ASSIGN(options.target_bits, map.number("target_bits", 0));
  HALFTONE_ASSIGN(options.max_bytes, map.integer("max_bytes", 0));
  if (map.has("target_bits") && !(options.target_bits > 0 && options.target_bits <= 32))
    return map.error("target_bits", fmt::format("expected bits above 0, at most 32, got {}", options.target_bits));
  if (map.has("max_bytes") && options.max_bytes <= 0)
    return map.error("max_bytes", fmt::format("expected bytes above 0, got {}", options.max_bytes));
  if (map.has("target_bits") == map.has("max_bytes"))
    return map.error("target_bits", "expected either target_bits or max_bytes, such as {target_bits: 4.5}");
  return {};
}

Status read_method(YamlMap& map, MixedOptions& options) {
  HALFTONE_ASSIGN(options.method, map.text("method", options.method));
  if (find_method(options.method) != nullptr) return {};
  std::vector<std::string> known;
  for (const Method& one : all_methods()) known.emplace_back(one.name);
  return map.error("method",
                   fmt::format("expected a method, got '{}'{}", options.method, or_nearest(options.method, known)));
}

Status read_speed(YamlMap& map, MixedOptions& options) {
  HALFTONE_ASSIGN(options.kl_per_millisecond, map.number("kl_per_millisecond", 0));
  if (!(options.kl_per_millisecond >= 0))
    return map.error("kl_per_millisecond", fmt::format("expected at least 0, got {}", options.kl_per_millisecond));
  if (map.has("kl_per_millisecond") != map.has("nanoseconds"))
    return map.error("nanoseconds",
                     "expected kl_per_millisecond and nanoseconds together: a price, and per layout what is paid for");
  if (!map.has("nanoseconds")) return {};
  HALFTONE_ASSIGN(YamlMap speeds, map.map("nanoseconds"));
  for (const Layout* layout : options.layouts) {
    HALFTONE_ASSIGN(const double one, speeds.number(layout->name));
    if (!(one >= 0))
      return speeds.error(layout->name, fmt::format("expected nanoseconds per weight, at least 0, got {}", one));
    options.nanoseconds.push_back(one);
  }
  return speeds.finish();
}

}  // namespace

MixedOptions default_mixed() {
  MixedOptions options;
  for (const LayoutId id : kDefaultLayouts) options.layouts.push_back(&layout_of(id));
  return options;
}

std::string mixed_yaml(const MixedOptions& options) {
  std::vector<std::string_view> names;
  for (const Layout* layout : options.layouts) names.push_back(layout->name);
  const std::string target = options.max_bytes > 0 ? fmt::format("max_bytes: {}", options.max_bytes)
                                                   : fmt::format("target_bits: {}", options.target_bits);
  return fmt::format("mixed: {{{}, layouts: [{}], method: {}}}\n", target, fmt::join(names, ", "), options.method);
}

Result<std::optional<MixedOptions>> read_mixed(YamlMap& recipe) {
  constexpr int64_t kMostTokens = 1 << 20, kMostTrials = 1'000'000;
  if (!recipe.has("mixed")) return std::optional<MixedOptions>();
  HALFTONE_ASSIGN(YamlMap map, recipe.map("mixed"));
  MixedOptions options;
  HALFTONE_TRY(read_target(map, options));
  HALFTONE_TRY(read_layouts(map, options));
  HALFTONE_TRY(read_method(map, options));
  HALFTONE_TRY(read_speed(map, options));
  HALFTONE_ASSIGN(options.tokens, map.integer("tokens", options.tokens));
  if (options.tokens < 1 || options.tokens > kMostTokens)
    return map.error("tokens", fmt::format("expected 1 to {} tokens, got {}", kMostTokens, options.tokens));
  HALFTONE_ASSIGN(options.trials, map.integer("trials", 0));
  if (options.trials < 0 || options.trials > kMostTrials)
    return map.error("trials", fmt::format("expected 0 to {} trials, got {}", kMostTrials, options.trials));
  HALFTONE_TRY(map.finish());
  return std::optional<MixedOptions>(std::move(options));
}

TargetedRecipe with_target(Recipe recipe, double target_bits, int64_t max_bytes) {
  TargetedRecipe result{std::move(recipe), ""};
  Recipe& changed = result.recipe;
  const std::string target =
      max_bytes > 0 ? fmt::format("mixed-{}-bytes", max_bytes) : fmt::format("mixed-{}", target_bits);
  if (!changed.mixed) {
    changed.mixed = default_mixed();
    const auto all = std::find_if(changed.rules.begin(), changed.rules.end(),
                                  [](const Rule& rule) { return rule.match == "*" && rule.op.empty(); });
    changed.rules.erase(all, changed.rules.end());
    std::vector<std::string_view> names;
    for (const Layout* layout : changed.mixed->layouts) names.push_back(layout->name);
    result.note = fmt::format("{} has no mixed part: in place of its rule for everything, {} by {} are chosen from",
                              changed.name, fmt::join(names, ", "), changed.mixed->method);
  }
  changed.name = changed.name.starts_with("mixed") ? target : changed.name + "-" + target;
  changed.mixed->target_bits = max_bytes > 0 ? 0 : target_bits;
  changed.mixed->max_bytes = max_bytes;
  return result;
}

}  // namespace halftone
