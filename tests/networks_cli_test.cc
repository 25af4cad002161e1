// SPDX-License-Identifier: Apache-2.0
// The verbs on an ONNX file, as a user types them. The classifier adds up four runs of four numbers, so that the right
// class of a sample is known without any model: the run that was raised.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/json_schema.h"
#include "base/rng.h"
#include "base/temp_folder.h"
#include "formats/onnx/test_model.h"
#include "program.h"

namespace halftone {
namespace {

using Json = nlohmann::json;

constexpr int kClasses = 4, kWidth = 16, kSamples = 720;

std::string adding_model() {
  Rng rng(3);
  std::vector<float> weight;
  for (int row = 0; row < kClasses; ++row)
    for (int k = 0; k < kWidth; ++k)
      weight.push_back((k / 4 == row ? 1.0F : 0.0F) + 0.05F * static_cast<float>(rng.uniform() - 0.5));
  onnx::TestGraph graph;
  graph.nodes = {
      onnx::node("Gemm", {"x", "w", "b"}, {"y"}, {onnx::attribute_of("transB", int64_t{1})}, "", "classifier")};
  graph.initializers = {onnx::floats("w", {kClasses, kWidth}, weight), onnx::floats("b", {kClasses}, {0, 0, 0, 0})};
  graph.inputs = {onnx::value("x", 1, {{0, "n"}, {kWidth, ""}})};
  graph.outputs = {onnx::value("y", 1, {{0, "n"}, {kClasses, ""}})};
  return onnx::model(graph);
}

class NetworksCli : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_file_atomic(temp_.path() / "m.onnx", adding_model()).ok());
    Rng rng(5);
    std::string list = "path,label\n";
    for (int i = 0; i < kSamples; ++i) {
      const auto label = static_cast<int>(rng.below(kClasses));
      std::vector<float> values;
      for (int k = 0; k < kWidth; ++k)
        values.push_back(static_cast<float>(rng.uniform()) + (k / 4 == label ? 1.0F : 0.0F));
      ASSERT_TRUE(write_file_atomic(temp_.path() / fmt::format("{}.bin", i), onnx::raw_bytes(values)).ok());
      list += fmt::format("{}.bin,{}\n", i, i % 20 == 0 ? (label + 1) % kClasses : label);  // one label in 20 is wrong
    }
    ASSERT_TRUE(write_file_atomic(temp_.path() / "list.csv", list).ok());
    ASSERT_TRUE(write_file_atomic(temp_.path() / "s.yaml",
                                  "name: runs\ntask: classify\nfile: list.csv\ninput: {type: f32, shape: [16]}\n")
                    .ok());
    ASSERT_TRUE(
        write_file_atomic(temp_.path() / "g.yaml", "checks:\n  - {metric: top1.loss, max: 2.0, unit: points}\n").ok());
  }

  std::pair<int, std::string> halftone(const std::string& words) const {
    return run_command(
        fmt::format("cd '{}' && '{}/halftone' {} --quiet", temp_.path().string(), HALFTONE_BINARY_DIR, words));
  }
  Json document(const std::string& words) const {
    const auto [code, output] = halftone(words + " --json out.json");
    EXPECT_EQ(code, 0) << words << "\n" << output;
    return read(temp_.path() / "out.json");
  }
  static Json read(const std::filesystem::path& path) {
    const auto text = read_text_file(path);
    return text.ok() ? Json::parse(*text) : Json::object();
  }
  static std::string problems(const Json& found, const std::string& schema) {
    JsonSchema rules(std::filesystem::path(HALFTONE_SOURCE_DIR) / "docs/schema" / schema);
    return fmt::format("{}", fmt::join(rules.problems_of(found), "\n"));
  }

  TempFolder temp_;
};

TEST_F(NetworksCli, QuantizeAndValidateKnowWhatIsRight) {
  EXPECT_NE(halftone("inspect m.onnx").second.find("68 parameters"), std::string::npos);
  ASSERT_EQ(halftone("quantize m.onnx -r int8 -o m8.ht").first, 0);
  const Json found = document("validate m.onnx m8.ht --suite s.yaml --gate g.yaml");
  EXPECT_EQ(problems(found["results"], "validate.json"), "");
  const Json& top1 = found["results"]["metrics"]["top1"];
  EXPECT_EQ(top1["n"], kSamples);
  EXPECT_NEAR(top1["reference"].get<double>(), 0.95, 0.01);
  EXPECT_NEAR(top1["candidate"].get<double>(), 0.95, 0.02);
  EXPECT_EQ(found["results"]["gate"]["verdict"], "pass");
}

TEST_F(NetworksCli, BenchTimesOneSampleAndRefusesOtherKindsBeside) {
  ASSERT_EQ(halftone("quantize m.onnx -r int4 -o m4.ht").first, 0);
  const Json found = document("bench m.onnx m4.ht --rounds 2 --allow-noisy");
  EXPECT_EQ(problems(found, "latency.json"), "");
  ASSERT_EQ(found["results"]["models"].size(), 2U);
  for (const Json& model : found["results"]["models"])
    EXPECT_GT(model["latency"]["seconds"]["median"].get<double>(), 0);
  ASSERT_EQ(halftone("synth tiny -o tiny").first, 0);
  const auto [code, output] = halftone("bench m.onnx tiny --allow-noisy");
  EXPECT_EQ(code, 1);
  EXPECT_NE(output.find("models of one kind"), std::string::npos) << output;
}

TEST_F(NetworksCli, ShipDecidesOpensTheSealedPartAndCanBeRechecked) {
  const auto [code, output] = halftone("ship m.onnx --suite s.yaml --gate g.yaml --recipes int8,int3 -o out.ht");
  ASSERT_EQ(code, 0) << output;
  const std::filesystem::path evidence = temp_.path() / "out.ht" / "evidence";
  const Json report = read(evidence / "report.json");
  EXPECT_EQ(problems(report, "report.json"), "");
  const Json& results = report["results"];
  EXPECT_TRUE(results["confirm"]["opened"].get<bool>());
  for (const Json& candidate : results["candidates"])
    EXPECT_GT(candidate["speed"]["latency"]["samples_per_second"]["median"].get<double>(), 0);
  const auto [again, said] = halftone("recheck out.ht/evidence");
  EXPECT_EQ(again, 0) << said;
  EXPECT_EQ(halftone("inspect out.ht").first, 0);
  EXPECT_EQ(halftone("verify out.ht").first, 0);
  const auto page = read_text_file(evidence / "report.html");
  ASSERT_TRUE(page.ok());
  EXPECT_NE(page->find("samples/s"), std::string::npos);
  EXPECT_EQ(page->find("tok/s"), std::string::npos);
}

TEST_F(NetworksCli, ABrokenGateShipsNothing) {
  EXPECT_EQ(halftone("ship m.onnx --suite s.yaml --gate g.yaml --recipes int8 --max-bytes 10B -o none.ht").first, 3);
  EXPECT_FALSE(std::filesystem::exists(temp_.path() / "none.ht"));
}

TEST_F(NetworksCli, WhatNeedsALanguageModelSaysSo) {
  for (const std::string words :
       {"run m.onnx -p x", "quantize m.onnx -r int4-best -o x.ht", "validate m.onnx m.onnx --suite perplexity:list.csv",
        "export m.onnx -o m.gguf", "ship m.onnx --text list.csv -o x.ht"}) {
    const auto [code, output] = halftone(words);
    EXPECT_EQ(code, 1) << words;
    EXPECT_NE(output.find("halftone: "), std::string::npos) << output;
    EXPECT_FALSE(std::filesystem::exists(temp_.path() / "x.ht"));
  }
}

}  // namespace
}  // namespace halftone
