// SPDX-License-Identifier: Apache-2.0
// From a recipe that leaves layouts to measurement to an artifact.
#include "quantize/mixed/mixed.h"

#include <gtest/gtest.h>

#include <set>

#include "formats/test_files.h"
#include "quantize/mixed/plain_kl.h"
#include "quantize/mixed/read_mixed.h"
#include "quantize/mixed/trial_model.h"
#include "quantize/quantize.h"

namespace halftone {
namespace {

std::string mixed_recipe(const std::string& target, const std::string& rest = "") {
  return "name: m\nmixed: {" + target +
         ", layouts: [int3_block32, int4_block32, int8_block32], method: nearest, tokens: 32}\n" + rest;
}

class Mixed : public ::testing::Test {
 protected:
  Result<QuantizeReport> run(const std::string& yaml, const std::string& out = "a.ht", int threads = 2) const {
    HALFTONE_ASSIGN(const Recipe recipe, parse_recipe(yaml, "r.yaml"));
    ThreadPool pool(threads);
    return quantize(*model_.model, recipe, folder_ / out, {true, 64 << 20, calibration_}, pool, no_progress());
  }
  std::string message_of(const std::string& yaml) const {
    const auto report = run(yaml);
    return report.ok() ? "accepted" : std::string(report.status().message());
  }
  std::string file_of(const std::string& artifact, const std::string& file) const {
    return read_text(folder_ / artifact / file);
  }

  TestModel model_{"tiny"};
  Sequences texts_ = random_texts(20, 16);
  const Sequences* calibration_ = &texts_;
  TempFolder folder_;
};

TEST_F(Mixed, KeepsTheBudgetAndMeasuresWhatItSays) {
  for (const double bits : {4.0, 5.0}) {
    const auto report = run(mixed_recipe(fmt::format("target_bits: {}", bits)));
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_LE(report->bits_per_weight, bits);
    EXPECT_GT(report->bits_per_weight, bits - 0.1);
    const MixedReport& mixed = *report->mixed;
    EXPECT_DOUBLE_EQ(mixed.bits_per_weight, report->bits_per_weight);
    std::map<std::string, const Layout*> layouts;
    for (const MixedTensor& one : mixed.tensors) layouts[one.name] = find_layout(one.layout);
    for (const TensorReport& one : report->tensors)
      EXPECT_TRUE(!layouts.contains(one.name) || one.layout == layouts[one.name]->name);
    const auto split = split_texts(texts_, 32);
    const double plain = plain_kl(model_, split->judge, layouts);
    EXPECT_NEAR(mixed.kl, plain, 1e-3 * plain + 3e-8);
    for (const MixedTensor& one : mixed.tensors) {
      for (const MixedStep* step : {&one.down, &one.up}) {
        if (step->layout.empty()) continue;
        auto changed = layouts;
        changed[one.name] = find_layout(step->layout);
        EXPECT_NEAR(step->kl, plain_kl(model_, split->judge, changed) - plain, 5e-8) << one.name;
        EXPECT_EQ(step->bytes < 0, step == &one.down);
      }
    }
  }
}

TEST_F(Mixed, BytesAreThoseOfTheWeightsFile) {
  const auto loose = run(mixed_recipe("target_bits: 5"));
  ASSERT_TRUE(loose.ok());
  const int64_t most = loose->weights_bytes - 1000;
  const auto report = run(mixed_recipe(fmt::format("max_bytes: {}", most)));
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_LE(report->weights_bytes, most);
  EXPECT_GT(report->weights_bytes, most - 3000);
  EXPECT_EQ(static_cast<int64_t>(std::filesystem::file_size(folder_ / "a.ht" / "weights.safetensors")),
            report->weights_bytes);
}

TEST_F(Mixed, TheChoiceIsARecipeThatRunsAgain) {
  for (const std::string method : {"nearest", "gptq"}) {
    const std::string yaml =
        "name: m\nmixed: {target_bits: 4.5, layouts: [int3_block32, int6_block32], method: " + method +
        "}\ntune: {steps: 2, batch_tokens: 64}\n";
    ASSERT_TRUE(run(yaml).ok());
    const auto file = open_model_file(folder_ / "a.ht");
    ASSERT_TRUE(file.ok());
    const std::string chosen = file->provenance["recipe"]["yaml"];
    EXPECT_FALSE(contains(chosen, "mixed:"));
    EXPECT_TRUE(contains(chosen, "tune: {steps: 2"));
    const auto again = run(chosen, "b.ht");
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_FALSE(again->mixed.has_value());
    for (const char* name : {"weights.safetensors", "model.json"})
      EXPECT_EQ(file_of("a.ht", name), file_of("b.ht", name)) << name;
  }
}

TEST_F(Mixed, BytesDoNotDependOnThreads) {
  ASSERT_TRUE(run(mixed_recipe("target_bits: 4.2"), "one.ht", 1).ok());
  ASSERT_TRUE(run(mixed_recipe("target_bits: 4.2"), "three.ht", 3).ok());
  for (const char* name : {"weights.safetensors", "model.json"})
    EXPECT_EQ(file_of("one.ht", name), file_of("three.ht", name));
}

TEST_F(Mixed, RulesComeFirst) {
  const auto report = run(mixed_recipe("target_bits: 7",
                                       "rules:\n  - {match: \"*.q_proj.weight\", layout: keep}\n"
                                       "  - {op: embedding, layout: int6_block32, method: search}\n"));
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_LE(report->bits_per_weight, 7);
  for (const TensorReport& one : report->tensors) {
    EXPECT_TRUE(!contains(one.name, "q_proj") || one.layout == "f32");
    EXPECT_TRUE(one.name != "model.embed_tokens.weight" || one.layout + one.method == "int6_block32search");
    EXPECT_TRUE(!contains(one.name, "k_proj") || one.method == "nearest");
  }
  EXPECT_TRUE(contains(message_of(mixed_recipe("target_bits: 6", "rules: [{layout: int8_channel}]\n")),
                       "mixed: what no rule takes: expected to hit at least one tensor, got none"));
}

TEST_F(Mixed, SpeedCounts) {
  const auto layouts_of = [&](const std::string& yaml) {
    const auto report = run(yaml);
    HALFTONE_CHECK(report.ok());
    std::set<std::string> layouts;
    for (const MixedTensor& one : report->mixed->tensors) layouts.insert(one.layout);
    return layouts;
  };
  const std::string speed =
      ", nanoseconds: {int3_block32: 0.1, int4_block32: 0.1, int8_block32: 5}, kl_per_millisecond: ";
  EXPECT_TRUE(layouts_of(mixed_recipe("target_bits: 5.5" + speed + "0")).contains("int8_block32"));
  EXPECT_FALSE(layouts_of(mixed_recipe("target_bits: 5.5" + speed + "1000")).contains("int8_block32"));
}

TEST_F(Mixed, ATargetOutOfReachNamesTheNearest) {
  const std::string message = message_of(mixed_recipe("target_bits: 2"));
  EXPECT_TRUE(contains(message,
                       "expected a target that can be reached, got 2 bits per weight; the least with "
                       "int3_block32, int4_block32, int8_block32 is "))
      << message;
  // What it names can be asked for, and a little less cannot.
  const size_t at = message.find(" bytes, ") + 8;
  const double bits = std::stod(message.substr(at));
  EXPECT_EQ(message_of(mixed_recipe(fmt::format("target_bits: {}", bits))), "accepted");
  EXPECT_NE(message_of(mixed_recipe(fmt::format("target_bits: {}", bits - 0.002))), "accepted");
  const std::string bytes = message_of(mixed_recipe("max_bytes: 10"));
  const int64_t least = std::stoll(bytes.substr(bytes.find(" is ") + 4));
  EXPECT_EQ(message_of(mixed_recipe(fmt::format("max_bytes: {}", least))), "accepted");
  EXPECT_NE(message_of(mixed_recipe(fmt::format("max_bytes: {}", least - 1))), "accepted");
}

TEST_F(Mixed, WantsCalibration) {
  calibration_ = nullptr;
  EXPECT_TRUE(
      contains(message_of(mixed_recipe("target_bits: 4.5")),
               "recipe m: layouts are chosen by what they cost on real text; expected --calibration FILE, got none"));
}

TEST_F(Mixed, WhatIsInTheWayIsToldFirst) {
  ASSERT_TRUE(run(mixed_recipe("target_bits: 4.5")).ok());
  const auto recipe = parse_recipe(mixed_recipe("target_bits: 1"), "r.yaml");  // would fail when measured
  ThreadPool pool(1);
  const auto report =
      quantize(*model_.model, *recipe, folder_ / "a.ht", {false, 64 << 20, calibration_}, pool, no_progress());
  ASSERT_FALSE(report.ok());
  EXPECT_FALSE(contains(report.status().message(), "expected a target"));
}

TEST(MixedRecipe, IsReadStrictly) {
  const auto message = [](const std::string& mixed) {
    const auto recipe = parse_recipe("mixed: {" + mixed + "}", "r.yaml");
    return recipe.ok() ? "accepted" : std::string(recipe.status().message());
  };
  EXPECT_EQ(message("target_bits: 4.5"), "accepted");
  EXPECT_EQ(message("max_bytes: 3500000, layouts: [int3_block32, lut4_group16]"), "accepted");
  EXPECT_TRUE(contains(message("method: gptq"), "expected either target_bits or max_bytes"));
  EXPECT_TRUE(contains(message("target_bits: 4, max_bytes: 5"), "expected either target_bits or max_bytes"));
  EXPECT_TRUE(contains(message("target_bits: 0"), "expected bits above 0, at most 32, got 0"));
  EXPECT_TRUE(contains(message("max_bytes: -1"), "expected bytes above 0, got -1"));
  EXPECT_TRUE(contains(message("target_bits: 4, layouts: [int4_block23, int3]"),
                       "got 'int4_block23'; did you mean int4_block32?"));
  EXPECT_TRUE(contains(message("target_bits: 4, layouts: [int4_block32, int4-block32]"), "got int4_block32 twice"));
  EXPECT_TRUE(contains(message("target_bits: 4, layouts: [int4_block32]"), "at least two layouts to choose from"));
  EXPECT_TRUE(contains(message("target_bits: 4, method: gtpq"), "did you mean gptq?"));
  EXPECT_TRUE(contains(message("target_bits: 4, tokens: 0"), "expected 1 to"));
  EXPECT_TRUE(contains(message("target_bits: 4, kl_per_millisecond: 1"), "together"));
  EXPECT_TRUE(contains(message("target_bits: 4, layouts: [int3_block32, int4_block32], kl_per_millisecond: 1, "
                               "nanoseconds: {int3_block32: 1}"),
                       "int4_block32"));
  EXPECT_TRUE(contains(message("target_bits: 4, layout: [int4_block32]"), "did you mean 'layouts'?"))
      << message("target_bits: 4, layout: [int4_block32]");
}

TEST(MixedRecipe, TakesATargetFromOutside) {
  const TargetedRecipe preset = with_target(*load_recipe("mixed-4.5"), 4.2, 0);
  EXPECT_EQ(preset.note, "");
  EXPECT_EQ(preset.recipe.name, "mixed-4.2");
  EXPECT_EQ(preset.recipe.mixed->target_bits, 4.2);
  EXPECT_EQ(preset.recipe.tune.steps, 60);
  const auto plain =
      parse_recipe("name: x\nrules:\n  - {op: embedding, layout: int8_channel}\n  - {layout: int4_block32}\n", "r");
  const TargetedRecipe given = with_target(*plain, 0, 5000);
  EXPECT_TRUE(contains(given.note, "x has no mixed part: in place of its rule for everything, int3_block32, "));
  ASSERT_EQ(given.recipe.rules.size(), 1u);
  EXPECT_EQ(given.recipe.rules[0].op, "embedding");
  EXPECT_EQ(given.recipe.mixed->max_bytes, 5000);
  EXPECT_EQ(given.recipe.mixed->layouts, default_mixed().layouts);
  EXPECT_EQ(given.recipe.name, "x-mixed-5000-bytes");
}

}  // namespace
}  // namespace halftone
