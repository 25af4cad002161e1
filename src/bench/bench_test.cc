// SPDX-License-Identifier: Apache-2.0
#include "bench/bench.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json_schema.h"
#include "bench/runner.h"
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
    EXPECT_GT(model.decode.bandwidth_fraction.low, 0);
    EXPECT_GT(model.decode.peak_fraction.median, 0);
    EXPECT_GE(model.load_to_first_token_seconds.median, model.load_seconds);
    EXPECT_EQ(model.context_tokens, 20);
    EXPECT_FALSE(model.profile);
    // Time inside linears is a part of the whole.
    EXPECT_GT(model.linear.peak_fraction_end_to_end.median, 0);
    EXPECT_GE(model.linear.peak_fraction.median, model.linear.peak_fraction_end_to_end.median);
    EXPECT_GT(model.memory.kv_bytes, 0);
    EXPECT_GT(model.memory.scratch_bytes, 0);
  }
  EXPECT_GE(report->read_bandwidth, report->models[0].read_bandwidth);
  EXPECT_GT(report->models[0].read_bandwidth, 0);
  EXPECT_GT(report->int8_peak, 0);
  const MemoryResult &wide = report->models[0].memory, &narrow = report->models[1].memory;
  EXPECT_EQ(wide.weights_bytes, 2 * narrow.weights_bytes);
  EXPECT_GT(report->models[0].decode.bytes_per_token, report->models[1].decode.bytes_per_token);
}

TEST_F(Bench, AContextIsHeldBeforeDecodingAndItsCacheCounts) {
  const auto after_prompt = bench({folder_ / "wide"}, options_, no_progress());
  options_.context_tokens = 40;
  const auto after_context = bench({folder_ / "wide"}, options_, no_progress());
  ASSERT_TRUE(after_prompt.ok() && after_context.ok());
  const ModelBench &shorter = after_prompt->models[0], &longer = after_context->models[0];
  EXPECT_EQ(longer.context_tokens, 40);
  EXPECT_EQ(longer.prefill.tokens, 20);  // still the prompt
  const auto runner = Runner::load(folder_ / "wide", options_, 1);
  ASSERT_TRUE(runner.ok());
  const int64_t kv = runner->language_model().model->kv_bytes_per_token();
  EXPECT_EQ(longer.decode.bytes_per_token - shorter.decode.bytes_per_token, 20 * kv);
}

TEST_F(Bench, EveryThreadCountIsMeasured) {
  options_.thread_counts = {1, 2};
  options_.rounds = 1;
  const auto report = bench({folder_ / "wide", folder_ / "narrow"}, options_, no_progress());
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_EQ(report->models.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(report->models[i].threads, 1 + static_cast<int>(i % 2));
}

TEST_F(Bench, VerifyingSeveralTokensIsComparedWithOne) {
  options_.verify_tokens = {1, 4};
  options_.rounds = 2;
  const auto report = bench({folder_ / "wide"}, options_, no_progress());
  ASSERT_TRUE(report.ok()) << report.status().message();
  const std::vector<VerifyResult>& verify = report->models[0].verify;
  ASSERT_EQ(verify.size(), 2u);  // float weights have one path
  EXPECT_EQ(verify[0].tokens, 1);
  EXPECT_EQ(verify[1].tokens, 4);
  EXPECT_EQ(verify[1].activations, "exact");
  EXPECT_GT(verify[1].seconds.median, 0);
  EXPECT_GT(verify[0].ratio_to_one.median, 0);
}

TEST_F(Bench, AProfileSumsToTheWholeInEachPhase) {
  options_.profile = true;
  double off = 1;
  for (int attempt = 0; attempt < 5 && off > 0.02;
       ++attempt) {  // another process may take the core before the first step or after the last
    const auto report = bench({folder_ / "wide"}, options_, no_progress());
    ASSERT_TRUE(report.ok()) << report.status().message();
    ASSERT_TRUE(report->models[0].profile);
    const ModelProfile& profile = *report->models[0].profile;
    EXPECT_EQ(profile.prefill.tokens, 3 * 20);
    EXPECT_EQ(profile.decode.tokens, 3 * 8);
    off = std::max(std::abs(profile.prefill.attributed() - 1), std::abs(profile.decode.attributed() - 1));
    const std::vector<OpProfile> ops = by_op(profile.decode);
    double sum = 0, operations = 0;
    for (const OpProfile& op : ops) {
      sum += op.seconds;
      operations += op.f32_operations;
    }
    EXPECT_NEAR(sum, profile.decode.attributed() * profile.decode.seconds, 1e-9);
    EXPECT_GE(ops.front().seconds, ops.back().seconds);
    // The same operations as the cost that every fraction is taken of.
    const auto runner = Runner::load(folder_ / "wide", options_, 1);
    ASSERT_TRUE(runner.ok());
    EXPECT_DOUBLE_EQ(operations, 3 * runner->decode_cost(20, 8).f32_operations);
  }
  EXPECT_LT(off, 0.02);
}

TEST(Profile, RolesAreTheLastPartsOfNames) {
  EXPECT_EQ(role_of("model.layers.0.self_attn.q_proj.weight + model.layers.0.self_attn.k_proj.weight"),
            "q_proj + k_proj");
  EXPECT_EQ(role_of("embed"), "embed");
  EXPECT_EQ(role_of(""), "");
}

TEST_F(Bench, JsonFollowsItsSchema) {
  options_.rounds = 1;
  options_.profile = true;
  options_.verify_tokens = {2};
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
  options_.thread_counts = {1, -1};
  EXPECT_NE(error().find("threads"), std::string::npos);
  options_.thread_counts = {};
  options_.verify_tokens = {0};
  EXPECT_NE(error().find("verify"), std::string::npos);
  options_.verify_tokens = {};
  EXPECT_FALSE(bench({folder_ / "nothing"}, options_, no_progress()).ok());
}

}  // namespace
}  // namespace halftone
