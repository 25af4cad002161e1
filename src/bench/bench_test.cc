// SPDX-License-Identifier: Apache-2.0
#include "bench/bench.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json_schema.h"
#include "device/machine.h"
#include "generate/tiny_model.h"

namespace halftone {
namespace {

class Bench : public ::testing::Test {
 protected:
  void SetUp() override {
    write_tiny_model(folder_ / "wide", DType::f32);
    write_tiny_model(folder_ / "narrow", DType::f16);
    options_.prompt_tokens = 20;
    options_.decode_tokens = 8;
    options_.rounds = 6;
    options_.threads = 1;
    options_.allow_noisy = true;  // tests run on busy machines
  }

  std::string error() {
    const auto report = bench({folder_ / "wide"}, options_, no_progress());
    EXPECT_FALSE(report.ok());
    return std::string(report.status().message());
  }

  TempFolder folder_;
  BenchOptions options_;
};

TEST_F(Bench, MeasuresEveryPhaseOfEveryModel) {
  const auto report = bench({folder_ / "wide", folder_ / "narrow"}, options_, no_progress());
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_EQ(report->models.size(), 2u);
  for (const ModelBench& model : report->models) {
    EXPECT_EQ(model.prefill.tokens, 20);
    EXPECT_EQ(model.decode.tokens, 8);
    EXPECT_EQ(model.generated_tokens, 8);
    EXPECT_EQ(model.decode.seconds_samples.size(), 6u);
    EXPECT_EQ(model.activations, "exact");  // float weights multiply as floats, whatever was asked
    const MedianInterval& speed = model.decode.tokens_per_second;
    EXPECT_GT(speed.low, 0);
    EXPECT_LE(speed.low, speed.median);
    EXPECT_LE(speed.median, speed.high);
    EXPECT_GT(model.first_token_seconds.median, 0);
    EXPECT_GT(model.load_seconds, 0);
    EXPECT_GT(model.decode.bandwidth_fraction, 0);
    EXPECT_GT(model.decode.peak_fraction, 0);
    EXPECT_GT(model.memory.kv_bytes, 0);
    EXPECT_GT(model.memory.scratch_bytes, 0);
  }
  const MemoryResult &wide = report->models[0].memory, &narrow = report->models[1].memory;
  EXPECT_EQ(wide.weights_bytes, 2 * narrow.weights_bytes);
  EXPECT_GT(report->models[0].decode.bytes_per_token, report->models[1].decode.bytes_per_token);
}

TEST_F(Bench, JsonFollowsItsSchema) {
  options_.rounds = 1;
  const auto report = bench({folder_ / "wide"}, options_, no_progress());
  ASSERT_TRUE(report.ok()) << report.status().message();
  const nlohmann::json document = {{"settings", report->settings_json()}, {"results", report->to_json()}};
  JsonSchema schema(std::filesystem::path(HALFTONE_SOURCE_DIR) / "docs/schema/bench.json");
  for (const std::string& problem : schema.problems_of(document)) ADD_FAILURE() << problem;
  const std::string warnings = document["results"]["warnings"].dump();
  EXPECT_NE(warnings.find("1 rounds carry no 95 % interval"), std::string::npos) << warnings;
  EXPECT_NE(warnings.find("fit in the caches"), std::string::npos) << warnings;
}

TEST_F(Bench, ABuildThatCannotBeMeasuredIsRefused) {
  const auto report = bench({folder_ / "wide"}, options_, no_progress());
  ASSERT_TRUE(report.ok());
  const std::string problem = "expected a release build, got a " + machine_info().build;
  const bool warned = !report->warnings.empty() && report->warnings.front().find(problem) == 0;
  EXPECT_EQ(warned, machine_info().build != "release");
  if (!warned) return;
  options_.allow_noisy = false;
  EXPECT_NE(error().find(problem), std::string::npos) << error();
}

TEST_F(Bench, AContextThatIsTooShortIsAnErrorWithTheNumbers) {
  options_.prompt_tokens = 45;
  const std::string message = error();
  EXPECT_NE(message.find("at most 48 tokens"), std::string::npos) << message;
  EXPECT_NE(message.find("45 of prompt and 8 to decode"), std::string::npos) << message;
  EXPECT_NE(message.find("at most 40"), std::string::npos) << message;
}

TEST_F(Bench, OptionsThatMeasureNothingAreErrors) {
  options_.rounds = 0;
  EXPECT_NE(error().find("round"), std::string::npos);
  options_.rounds = 6;
  options_.decode_tokens = 0;
  EXPECT_NE(error().find("decode"), std::string::npos);
  options_.decode_tokens = 8;
  options_.prompt_tokens = 0;
  EXPECT_NE(error().find("prompt"), std::string::npos);
  EXPECT_FALSE(bench({}, options_, no_progress()).ok());
  options_.prompt_tokens = 20;
  EXPECT_FALSE(bench({folder_ / "nothing"}, options_, no_progress()).ok());
}

}  // namespace
}  // namespace halftone
