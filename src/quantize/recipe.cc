// SPDX-License-Identifier: Apache-2.0
#include "quantize/recipe.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/yaml.h"
#include "quantize/methods/method.h"
#include "quantize/mixed/read_mixed.h"
#include "quantize/transform/transform.h"

namespace halftone {
namespace {

constexpr int64_t kMaxRecipeBytes = 1'000'000;

struct Preset {
  std::string_view name, layout, method = {};  // no method: the default of the layout
  // Keys of `tune`; empty: nothing is tuned. What fewer bits leave to mend takes larger steps.
  std::string_view tune = {};
  double target_bits = 0;  // above 0: layouts by measurement
  std::string_view activations = {}, transform = {};
};

constexpr Preset kPresets[] = {
    {"fp16", "f16"},
    {"bf16", "bf16"},
    {"int8", "int8_channel"},
    {"int8-block", "int8_block32"},
    {"int8-affine32", "uint8_affine32"},
    {"int8-affine64", "uint8_affine64"},
    {"int8-affine128", "uint8_affine128"},
    {"int6", "int6_block32"},
    {"int6-k", "int6_k16"},
    {"int6-affine32", "uint6_affine32"},
    {"int6-affine64", "uint6_affine64"},
    {"int6-affine128", "uint6_affine128"},
    {"int5", "int5_block32"},
    {"int5-k", "uint5_k32"},
    {"int5-affine32", "uint5_affine32"},
    {"int5-affine64", "uint5_affine64"},
    {"int5-affine128", "uint5_affine128"},
    {"int4", "int4_block32"},
    {"int4-block64", "int4_block64"},
    {"int4-block128", "int4_block128"},
    {"int4-channel", "int4_channel"},
    {"int4-k", "uint4_k32"},
    {"int4-affine32", "uint4_affine32"},
    {"int4-affine64", "uint4_affine64"},
    {"int4-affine128", "uint4_affine128"},
    {"int3", "int3_block32"},
    {"int3-affine32", "uint3_affine32"},
    {"int3-affine64", "uint3_affine64"},
    {"int3-affine128", "uint3_affine128"},
    {"int2-affine32", "uint2_affine32"},
    {"int2-affine64", "uint2_affine64"},
    {"int2-affine128", "uint2_affine128"},
    {"int8-best", "int8_channel", "gptq"},
    {"int4-best", "int4_block32", "gptq", "steps: 60, rate: 0.006"},
    {"int4-channel-best", "int4_channel", "gptq", "steps: 60, rate: 0.006"},
    {"int3-best", "int3_block32", "gptq", "steps: 60, rate: 0.012"},
    {"lut4-best", "lut4_group16", "gptq", "steps: 80, rate: 0.005"},
    {"mixed-4.5", {}, {}, "steps: 60, rate: 0.006", 4.5},
    {"mixed-4.0", {}, {}, "steps: 60, rate: 0.006", 4.0},
    {"w8a8", "int8_channel", "nearest", {}, 0, "{bits: 8, range: error}", "smooth"},
    {"w8a16", "int8_channel", "nearest", {}, 0, "{bits: 16, range: max}"},
    {"lut8", "lut8_group16"},
    {"lut6", "lut6_group16"},
    {"lut4", "lut4_group16"},
    {"lut3", "lut3_group16"},
    {"lut2", "lut2_group16"},
};

// What a rule that names none gets.
std::string_view default_method(const Layout* layout) {
  if (layout == nullptr || layout->is_float()) return "nearest";
  return layout->is_palette() ? "kmeans" : layout->is_nested() ? "search" : "nearest";
}

// A preset is a recipe that needs no file: what is recorded of it is YAML that anyone can change and use.
std::string yaml_of(const Preset& preset, RecipeFor kind) {
  std::string tune = preset.tune.empty() ? "" : fmt::format("tune: {{{}}}\n", preset.tune);
  if (kind == RecipeFor::network && preset.method == "gptq") tune = "bias_correction: if_any\n";
  if (preset.target_bits > 0) {
    MixedOptions mixed = default_mixed();
    mixed.target_bits = preset.target_bits;
    return fmt::format("name: {}\n{}{}", preset.name, mixed_yaml(mixed), tune);
  }
  const Layout* layout = find_layout(preset.layout);
  const std::string method =
      layout->is_float() ? ""
                         : fmt::format(", method: {}", preset.method.empty() ? default_method(layout) : preset.method);
  const std::string transform = preset.transform.empty() ? "" : fmt::format("transform: [{}]\n", preset.transform);
  const std::string activations =
      preset.activations.empty() ? "" : fmt::format("activations: {}\n", preset.activations);
  return fmt::format("name: {}\nrules:\n  - {{match: \"*\", layout: {}{}}}\n{}{}{}", preset.name, preset.layout, method,
                     transform, tune, activations);
}

std::string with_underscores(std::string_view text) {
  std::string result(text);
  std::replace(result.begin(), result.end(), '-', '_');
  return result;
}

// "; did you mean int4_block32?" or, when nothing is near, the whole list.
std::string hint(std::string_view word, const std::vector<std::string>& known) {
  const std::string nearest = nearest_word(word, known);
  return nearest.empty() ? fmt::format("; known: {}", fmt::join(known, ", "))
                         : fmt::format("; did you mean {}?", nearest);
}

Status read_layout(YamlMap& map, Rule& rule) {
  HALFTONE_ASSIGN(const std::string layout, map.text("layout"));
  if (layout == "keep") return {};
  rule.layout = find_layout(layout);
  if (rule.layout != nullptr) return {};
  std::vector<std::string> known = {"keep"};
  for (const Layout* one : all_layouts()) known.emplace_back(one->name);
  return map.error("layout", fmt::format("expected a layout or keep, got '{}'{}", layout, hint(layout, known)));
}

Status read_method(YamlMap& map, Rule& rule) {
  const bool given = map.has("method");
  HALFTONE_ASSIGN(rule.method, map.text("method", std::string(default_method(rule.layout))));
  std::vector<std::string> known;
  for (const Method& one : all_methods()) known.emplace_back(one.name);
  if (find_method(rule.method) == nullptr)
    return map.error("method", fmt::format("expected a method, got '{}'{}", rule.method, hint(rule.method, known)));
  if (rule.layout != nullptr && !rule.layout->is_float()) {
    if (find_method(rule.method)->can_fill(*rule.layout)) return {};
    std::erase_if(known, [&](const std::string& name) { return !find_method(name)->can_fill(*rule.layout); });
    return map.error("method", fmt::format("expected a method that fills {}, got '{}'; known: {}", rule.layout->name,
                                           rule.method, fmt::join(known, ", ")));
  }
  if (given)
    return map.error("method", "expected no method: only integer layouts and palettes have codes to choose; remove it");
  rule.method.clear();
  return {};
}

Result<Rule> read_rule(YamlMap map, size_t number) {
  static const std::vector<std::string> kOps = {"embedding", "linear", "norm", "bias", "conv", "depthwise", "constant"};
  Rule rule;
  HALFTONE_ASSIGN(rule.match, map.text("match", "*"));
  HALFTONE_ASSIGN(rule.op, map.text("op", ""));
  if (!rule.op.empty() && std::find(kOps.begin(), kOps.end(), rule.op) == kOps.end())
    return map.error("op", fmt::format("expected an op, got '{}'{}", rule.op, hint(rule.op, kOps)));
  HALFTONE_TRY(read_layout(map, rule));
  HALFTONE_TRY(read_method(map, rule));
  HALFTONE_TRY(map.finish());
  std::string subject = rule.op.empty() ? "" : "op " + rule.op;
  if (rule.match != "*" || subject.empty()) subject = (subject.empty() ? "" : subject + ", ") + "match " + rule.match;
  rule.text = fmt::format("rule {}: {} -> {}", number, subject, rule.layout == nullptr ? "keep" : rule.layout->name);
  return rule;
}

Status read_transforms(YamlMap& map, Recipe& recipe) {
  HALFTONE_ASSIGN(recipe.transforms, map.texts("transform"));
  std::vector<std::string> known;
  for (const Transform& one : all_transforms()) known.emplace_back(one.name);
  for (const std::string& name : recipe.transforms)
    if (find_transform(name) == nullptr)
      return map.error("transform", fmt::format("expected a transform, got '{}'{}", name, hint(name, known)));
  return {};
}

Result<TuneOptions> read_tune(YamlMap& recipe) {
  constexpr int64_t kMostSteps = 100'000, kLeastTokens = 64, kMostTokens = 1 << 20;
  TuneOptions options;
  if (!recipe.has("tune")) return options;
  HALFTONE_ASSIGN(YamlMap map, recipe.map("tune"));
  HALFTONE_ASSIGN(options.steps, map.integer("steps"));
  HALFTONE_ASSIGN(options.batch_tokens, map.integer("batch_tokens", options.batch_tokens));
  HALFTONE_ASSIGN(options.rate, map.number("rate", options.rate));
  if (options.steps < 1 || options.steps > kMostSteps)
    return map.error("steps", fmt::format("expected 1 to {} steps, got {}", kMostSteps, options.steps));
  if (options.batch_tokens < kLeastTokens || options.batch_tokens > kMostTokens)
    return map.error("batch_tokens",
                     fmt::format("expected {} to {} tokens, got {}", kLeastTokens, kMostTokens, options.batch_tokens));
  if (!(options.rate > 0 && options.rate <= 0.1))
    return map.error("rate", fmt::format("expected a rate above 0, at most 0.1, got {}", options.rate));
  HALFTONE_TRY(map.finish());
  return options;
}

Status read_bias_correction(YamlMap& map, Recipe& recipe) {
  HALFTONE_ASSIGN(const std::string word, map.text("bias_correction", "false"));
  recipe.bias_correction = word != "false";
  recipe.needs_biases = word == "true";
  if (word == "true" || word == "false" || word == "if_any") return {};
  return map.error("bias_correction", fmt::format("expected true, false or if_any, got '{}'", word));
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) names.emplace_back(preset.name);
  return names;
}

Result<Recipe> parse_recipe(std::string_view yaml, std::string_view name) {
  HALFTONE_ASSIGN(YamlMap map, YamlMap::parse_text(yaml, std::string(name)));
  Recipe recipe;
  recipe.text = yaml;
  HALFTONE_ASSIGN(recipe.name, map.text("name", std::filesystem::path(name).stem().string()));
  HALFTONE_ASSIGN(recipe.mixed, read_mixed(map));
  HALFTONE_ASSIGN(std::vector<YamlMap> rules, map.maps("rules"));
  if (rules.empty() && !recipe.mixed)
    return map.error("rules", "expected at least one rule, such as {match: \"*\", layout: int4_block32}");
  for (YamlMap& one : rules) {
    HALFTONE_ASSIGN(Rule rule, read_rule(std::move(one), recipe.rules.size() + 1));
    recipe.rules.push_back(std::move(rule));
  }
  HALFTONE_ASSIGN(recipe.allow_float, map.texts("allow_float"));
  HALFTONE_TRY(read_transforms(map, recipe));
  HALFTONE_ASSIGN(recipe.tune, read_tune(map));
  HALFTONE_TRY(read_bias_correction(map, recipe));
  HALFTONE_ASSIGN(recipe.activations, read_activation_options(map));
  HALFTONE_TRY(map.finish());
  return recipe;
}

Result<Recipe> load_recipe(std::string_view name_or_path, RecipeFor kind) {
  for (const Preset& preset : kPresets)
    if (with_underscores(preset.name) == with_underscores(name_or_path))
      return parse_recipe(yaml_of(preset, kind), preset.name);
  const std::filesystem::path path(name_or_path);
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return not_found("[recipe] expected a preset or a YAML file, got '{}'{}", name_or_path,
                     hint(name_or_path, preset_names()));
  HALFTONE_ASSIGN(const std::string yaml, read_text_file(path, kMaxRecipeBytes));
  return parse_recipe(yaml, path.string());
}

bool glob_matches(std::string_view glob, std::string_view text) {
  size_t g = 0, t = 0;
  size_t star = std::string_view::npos, retry = 0;  // the last * and where its run ends so far
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      retry = t;
    } else if (g < glob.size() && (glob[g] == '?' || glob[g] == text[t])) {
      ++g;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', g) == std::string_view::npos;
}

}  // namespace halftone
