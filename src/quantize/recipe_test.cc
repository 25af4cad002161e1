// SPDX-License-Identifier: Apache-2.0
#include "quantize/recipe.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temp_folder.h"
#include "formats/test_files.h"

namespace halftone {
namespace {

std::string message_of(std::string_view yaml) {
  const auto recipe = parse_recipe(yaml, "r.yaml");
  return recipe.ok() ? "accepted" : std::string(recipe.status().message());
}

TEST(Recipe, PresetsLoadByNameWithEitherDash) {
  for (const std::string& name : preset_names()) {
    const auto recipe = load_recipe(name);
    ASSERT_TRUE(recipe.ok()) << recipe.status().message();
    EXPECT_EQ(recipe->name, name);
    EXPECT_FALSE(recipe->text.empty());
    if (recipe->mixed) continue;
    ASSERT_EQ(recipe->rules.size(), 1u);
    EXPECT_NE(recipe->rules[0].layout, nullptr);
  }
  EXPECT_EQ(load_recipe("int4_channel")->rules[0].layout->name, "int4_channel");
  EXPECT_EQ(load_recipe("int8-block")->rules[0].layout->name, "int8_block32");
  EXPECT_EQ(load_recipe("fp16")->rules[0].layout->name, "f16");
  EXPECT_EQ(load_recipe("int4_affine64")->rules[0].layout->name, "uint4_affine64");
}

TEST(Recipe, EveryIntegerLayoutThatMethodsChooseHasAPreset) {
  for (const Layout* layout : all_layouts()) {
    if (layout->is_float() || layout->is_palette()) continue;
    int found = 0;  // beside those that need data
    for (const std::string& name : preset_names()) {
      const auto recipe = load_recipe(name);
      const bool plain =
          !recipe->mixed && recipe->tune.steps + recipe->activations.bits == 0 && recipe->rules[0].method != "gptq";
      found += plain && recipe->rules[0].layout == layout ? 1 : 0;
    }
    EXPECT_EQ(found, 1) << layout->name;
  }
  EXPECT_EQ(load_recipe("int4-k")->rules[0].method, "search");
  EXPECT_TRUE(contains(message_of("rules: [{layout: uint4_k32, method: nearest}]"),
                       "expected a method that fills uint4_k32, got 'nearest'; known: search, gptq"));
}

TEST(Recipe, TunesAsTold) {
  const auto recipe =
      parse_recipe("rules: [{layout: int4_block32}]\ntune: {steps: 7, rate: 0.01, batch_tokens: 512}", "r");
  ASSERT_TRUE(recipe.ok()) << recipe.status().message();
  EXPECT_EQ(recipe->tune.steps, 7);
  EXPECT_EQ(recipe->tune.rate, 0.01);
  EXPECT_EQ(recipe->tune.batch_tokens, 512);
  EXPECT_EQ(parse_recipe("rules: [{layout: int4_block32}]", "r")->tune.steps, 0);
  EXPECT_EQ(load_recipe("int4-best")->rules[0].method, "gptq");
  EXPECT_GT(load_recipe("int4-best")->tune.steps, 0);
  const auto refused = [](const std::string& tune) {
    return message_of("rules: [{layout: int8_channel}]\ntune: " + tune);
  };
  EXPECT_TRUE(contains(refused("{steps: 0}"), "r.yaml:2: steps: expected 1 to")) << refused("{steps: 0}");
  EXPECT_TRUE(contains(refused("{steps: 5, rate: 2}"), "rate: expected a rate above 0"));
  EXPECT_TRUE(contains(refused("{steps: 5, batch_tokens: 1}"), "batch_tokens: expected 64 to"));
  EXPECT_TRUE(contains(refused("{steps: 5, pace: 1}"), "pace")) << refused("{steps: 5, pace: 1}");
  EXPECT_TRUE(contains(refused("{rate: 0.01}"), "steps"));
}

TEST(Recipe, Activations) {
  EXPECT_EQ(load_recipe("int8")->activations.bits, 0);
  EXPECT_EQ(load_recipe("w8a8")->activations.bits, 8);
  EXPECT_EQ(load_recipe("w8a16")->activations.bits, 16);
  EXPECT_EQ(load_recipe("w8a8")->rules[0].layout->name, "int8_channel");
  const std::string rules = "rules: [{layout: int8_channel}]\n";
  const auto read = [&](const std::string& activations) {
    return parse_recipe(rules + "activations: " + activations, "r.yaml");
  };
  EXPECT_EQ(read("{bits: 8}")->activations.rule, RangeRule::error);
  EXPECT_EQ(read("{bits: 8, range: max}")->activations.rule, RangeRule::max);
  EXPECT_EQ(read("{bits: 8, range: percentile}")->activations.percentile, 99.99);
  EXPECT_EQ(read("{bits: 16, range: percentile, percentile: 99}")->activations.percentile, 99);
  const auto refused = [&](const std::string& activations) {
    return message_of(rules + "activations: " + activations);
  };
  EXPECT_TRUE(contains(refused("{range: max}"), "bits")) << refused("{range: max}");
  EXPECT_TRUE(contains(refused("{bits: 4}"), "r.yaml:2: bits: expected 8 or 16 bits, got 4")) << refused("{bits: 4}");
  EXPECT_TRUE(contains(refused("{bits: 8, range: most}"), "range: expected error, percentile or max, got 'most'"));
  EXPECT_TRUE(contains(refused("{bits: 8, percentile: 99}"), "expected it with range: percentile only"));
  EXPECT_TRUE(contains(refused("{bits: 8, range: percentile, percentile: 101}"), "expected 50 to 100, got 101"));
  EXPECT_TRUE(contains(refused("{bits: 8, range: percentile, percentile: .nan}"), "expected"));
  EXPECT_TRUE(contains(refused("{bits: 8, rnage: max}"), "rnage: unknown key; did you mean 'range'?"))
      << refused("{bits: 8, rnage: max}");
}

TEST(Recipe, PalettesGetMethodsOfTheirOwn) {
  for (const char* bits : {"2", "3", "4", "6", "8"}) {
    const Rule rule = load_recipe(std::string("lut") + bits)->rules[0];
    EXPECT_EQ(rule.layout->name, std::string("lut") + bits + "_group16");
    EXPECT_EQ(rule.method, "kmeans");
  }
  EXPECT_EQ(parse_recipe("rules: [{layout: lut6_tensor}]", "r")->rules[0].method, "kmeans");
  EXPECT_EQ(parse_recipe("rules: [{layout: lut1_group4, method: kmeans_lloyd}]", "r")->rules[0].method, "kmeans_lloyd");
  EXPECT_TRUE(contains(message_of("rules: [{layout: lut4_tensor, method: nearest}]"),
                       "expected a method that fills lut4_tensor, got 'nearest'; known: gptq, kmeans"));
  EXPECT_TRUE(contains(message_of("rules: [{layout: int4_block32, method: kmeans}]"),
                       "expected a method that fills int4_block32, got 'kmeans'; known: nearest"));
}

TEST(Recipe, ReadsAFile) {
  const TempFolder folder;
  std::ofstream(folder / "mixed.yaml") << R"(rules:
  - {op: embedding, layout: int8-block32}
  - {match: "*.mlp.*", layout: int4_block32, method: nearest}
  - {match: "*lm_head*", op: linear, layout: bf16}
  - {layout: keep}
allow_float: ["*.bias", lm_head.weight]
)";
  const auto recipe = load_recipe((folder / "mixed.yaml").string());
  ASSERT_TRUE(recipe.ok()) << recipe.status().message();
  EXPECT_EQ(recipe->name, "mixed");
  ASSERT_EQ(recipe->rules.size(), 4u);
  EXPECT_EQ(recipe->rules[0].text, "rule 1: op embedding -> int8_block32");
  EXPECT_EQ(recipe->rules[1].text, "rule 2: match *.mlp.* -> int4_block32");
  EXPECT_EQ(recipe->rules[1].method, "nearest");
  EXPECT_EQ(recipe->rules[2].text, "rule 3: op linear, match *lm_head* -> bf16");
  EXPECT_EQ(recipe->rules[3].text, "rule 4: match * -> keep");
  EXPECT_EQ(recipe->rules[3].layout, nullptr);
  EXPECT_EQ(recipe->allow_float, (std::vector<std::string>{"*.bias", "lm_head.weight"}));
  EXPECT_TRUE(contains(recipe->text, "allow_float"));
}

TEST(Recipe, UnknownWordsNameTheNearest) {
  EXPECT_TRUE(contains(message_of("rules: [{layout: int4_blok32}]"), "'int4_blok32'; did you mean int4_block32?"));
  EXPECT_TRUE(contains(message_of("rules: [{layout: kep}]"), "did you mean keep?"));
  EXPECT_TRUE(
      contains(message_of("rules: [{layout: int4_block32, method: neerest}]"), "'neerest'; did you mean nearest?"));
  EXPECT_TRUE(contains(message_of("rules: [{op: embeding, layout: keep}]"), "'embeding'; did you mean embedding?"));
  EXPECT_TRUE(contains(message_of("rules: [{mach: a, layout: keep}]"), "match"))
      << message_of("rules: [{mach: a, layout: keep}]");
  EXPECT_TRUE(contains(message_of("rules: [{layout: keep}]\nalow_float: [a]"), "allow_float"));
  EXPECT_TRUE(contains(message_of("rules: [{layout: zzzzzzzzzz}]"), "known: keep, f32"));
  const std::string preset(load_recipe("int7").status().message());
  EXPECT_TRUE(contains(preset, "expected a preset or a YAML file, got 'int7'; did you mean int")) << preset;
}

TEST(Recipe, RefusesWhatMakesNoSense) {
  EXPECT_TRUE(contains(message_of("name: x"), "expected at least one rule"));
  EXPECT_TRUE(contains(message_of("rules: []"), "expected at least one rule"));
  EXPECT_TRUE(contains(message_of("rules: [{match: a}]"), "layout")) << message_of("rules: [{match: a}]");
  EXPECT_TRUE(contains(message_of("rules: [{layout: f16, method: nearest}]"), "expected no method"));
  EXPECT_TRUE(contains(message_of("rules: [{layout: keep, method: nearest}]"), "expected no method"));
  EXPECT_TRUE(contains(message_of("rules: 7"), "r.yaml"));
  EXPECT_NE(message_of("{"), "accepted");
  EXPECT_NE(message_of(""), "accepted");
  EXPECT_TRUE(contains(message_of("rules:\n  - {layout: keep}\n  - {layout: f17}"), "r.yaml:3"));
}

TEST(Glob, MatchesRunsAndSingleCharacters) {
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("*", "a.b"));
  EXPECT_TRUE(glob_matches("a*c", "abbbc"));
  EXPECT_TRUE(glob_matches("*.mlp.*.weight", "model.layers.0.mlp.up.weight"));
  EXPECT_TRUE(glob_matches("layers.?.x", "layers.3.x"));
  EXPECT_FALSE(glob_matches("layers.?.x", "layers.13.x"));
  EXPECT_TRUE(glob_matches("a**b", "ab"));
  EXPECT_TRUE(glob_matches("*ab*ab", "abab"));
  EXPECT_FALSE(glob_matches("*ab*ab", "ab"));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_FALSE(glob_matches("a", "ab"));
  EXPECT_FALSE(glob_matches("a?", "a"));
  EXPECT_FALSE(glob_matches(std::string(30, '*') + "b", std::string(5000, 'a')));  // no exponential search
}

}  // namespace
}  // namespace halftone
