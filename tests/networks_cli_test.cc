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

// The same classes of numbers that all lie around 40: whatever rounding does to the sum of a row is 40 times as large
// as what tells classes apart, unless somebody looks at data. The bias takes the sum away, so that the float model is
// right.
class NetworksWithData : public NetworksCli {
 protected:
  static constexpr double kMean = 40;

  void SetUp() override {
    NetworksCli::SetUp();
    Rng rng(23);
    std::vector<float> weight, bias;
    for (int row = 0; row < kClasses; ++row) {
      double sum = 0;
      for (int k = 0; k < kWidth; ++k) {
        weight.push_back((k / 4 == row ? 1.0F : 0.0F) + 0.3F * static_cast<float>(rng.uniform() - 0.5));
        sum += static_cast<double>(weight.back());
      }
      bias.push_back(static_cast<float>(-kMean * sum));
    }
    onnx::TestGraph graph;
    graph.nodes = {
        onnx::node("Gemm", {"x", "w", "b"}, {"y"}, {onnx::attribute_of("transB", int64_t{1})}, "", "classifier")};
    graph.initializers = {onnx::floats("w", {kClasses, kWidth}, weight), onnx::floats("b", {kClasses}, bias)};
    graph.inputs = {onnx::value("x", 1, {{0, "n"}, {kWidth, ""}})};
    graph.outputs = {onnx::value("y", 1, {{0, "n"}, {kClasses, ""}})};
    ASSERT_TRUE(write_file_atomic(temp_.path() / "around40.onnx", onnx::model(graph)).ok());
    write_list("judge", 0, kSamples, rng);
    write_list("seen", kSamples, 120, rng);
  }
  void write_list(const std::string& name, int first, int count, Rng& rng) {
    std::string list = "path,label\n";
    for (int i = first; i < first + count; ++i) {
      const auto label = static_cast<int>(rng.below(kClasses));
      std::vector<float> values;
      for (int k = 0; k < kWidth; ++k)
        values.push_back(static_cast<float>(kMean + rng.uniform() - 0.5 + (k / 4 == label ? 1.0 : 0.0)));
      ASSERT_TRUE(write_file_atomic(temp_.path() / fmt::format("d{}.bin", i), onnx::raw_bytes(values)).ok());
      list += fmt::format("d{}.bin,{}\n", i, label);
    }
    ASSERT_TRUE(write_file_atomic(temp_.path() / (name + ".csv"), list).ok());
    ASSERT_TRUE(
        write_file_atomic(temp_.path() / (name + ".yaml"),
                          fmt::format("task: classify\nfile: {}.csv\ninput: {{type: f32, shape: [16]}}\n", name))
            .ok());
  }
  double top1(const std::string& artifact) {
    const Json found = document("validate around40.onnx " + artifact + " --suite judge.yaml");
    EXPECT_GT(found["results"]["metrics"]["top1"]["reference"].get<double>(), 0.98);
    return found["results"]["metrics"]["top1"]["candidate"].get<double>();
  }
};

TEST_F(NetworksWithData, CalibratedInt4HoldsWhereNearestFails) {
  ASSERT_EQ(halftone("quantize around40.onnx -r int4-channel -o nearest.ht").first, 0);
  EXPECT_LT(top1("nearest.ht"), 0.8);
  const Json made = document("quantize around40.onnx -r int4-channel-best -o best.ht --calibration seen.yaml");
  EXPECT_EQ(made["settings"]["calibration"]["samples"], 120);
  EXPECT_GT(top1("best.ht"), 0.97);
  std::error_code error;
  EXPECT_EQ(std::filesystem::file_size(temp_.path() / "nearest.ht/weights.safetensors", error),
            std::filesystem::file_size(temp_.path() / "best.ht/weights.safetensors", error));
}

TEST_F(NetworksWithData, ShipTakesCalibrationThatTheSuiteDoesNotHold) {
  const std::string words = "ship around40.onnx --suite judge.yaml --gate g.yaml ";
  const auto [code, output] =
      halftone(words + "--recipes int4-channel,int4-channel-best --calibration seen.csv -o out.ht");
  ASSERT_EQ(code, 0) << output;
  const Json report = read(temp_.path() / "out.ht/evidence/report.json");
  EXPECT_EQ(problems(report, "report.json"), "");
  EXPECT_EQ(report["settings"]["calibration"]["samples"], 120);
  EXPECT_EQ(read(temp_.path() / "out.ht/model.json")["provenance"]["recipe"]["name"], "int4-channel-best");
  const auto [leaked, said] = halftone(words + "--recipes int8 --calibration judge.csv -o leaked.ht");
  EXPECT_EQ(leaked, 1);
  EXPECT_NE(said.find("expected no sample of suite judge, got 720 of its 720"), std::string::npos) << said;
}

TEST_F(NetworksWithData, WhatIsWrongWithACalibrationIsSaid) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"missing.csv", "missing.csv"},
      {"around40.onnx", "expected a list (.csv with the column path"},
      {"seen.csv", "seen.csv:2: "},  // bare numbers of no format
      {"seen.yaml --calibration-tokens 99", "takes every sample of its list"},
      {"s.yaml --held-out seen.csv", "expected no --held-out for a network"}};
  for (const auto& [words, expected] : wrong) {
    const auto [code, output] = halftone("quantize around40.onnx -r int4-best -o x.ht --calibration " + words);
    EXPECT_EQ(code, 1) << words;
    EXPECT_NE(output.find(expected), std::string::npos) << output;
    EXPECT_FALSE(std::filesystem::exists(temp_.path() / "x.ht"));
  }
}

// Class k is right where a picture of bytes is brightest in quarter k. Rows of one file, described by nobody: what the
// suite says of them travels with the artifact, and the page shows them.
TEST_F(NetworksCli, PicturesAreValidatedShippedAndShown) {
  constexpr int kPictures = 640, kSide = 4;
  Rng rng(9);
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (640, 4, 4, 3), }";
  std::string npy("\x93NUMPY\x01\x00", 8), list = "path,label\n";
  npy += static_cast<char>(header.size());
  npy += '\0';
  npy += header;
  for (int i = 0; i < kPictures; ++i) {
    const auto label = static_cast<int>(rng.below(kClasses));
    for (int y = 0; y < kSide; ++y)
      for (int k = 0; k < kSide * 3; ++k) npy += static_cast<char>(rng.below(120) + (y == label ? 100 : 0));
    list += fmt::format("pictures.npy#{},{}\n", i, i % 20 == 0 ? (label + 1) % kClasses : label);
  }
  ASSERT_TRUE(write_file_atomic(temp_.path() / "pictures.npy", npy).ok());
  ASSERT_TRUE(write_file_atomic(temp_.path() / "pictures.csv", list).ok());
  std::vector<float> weight;
  for (int row = 0; row < kClasses; ++row)
    for (int k = 0; k < 48; ++k)
      weight.push_back((k / 12 == row ? 0.01F : 0.0F) + 0.001F * static_cast<float>(rng.uniform()));
  onnx::TestGraph graph;
  graph.nodes = {onnx::node("Flatten", {"x"}, {"f"}, {onnx::attribute_of("axis", int64_t{1})}),
                 onnx::node("Gemm", {"f", "w", "b"}, {"y"}, {onnx::attribute_of("transB", int64_t{1})})};
  graph.initializers = {onnx::floats("w", {kClasses, 48}, weight), onnx::floats("b", {kClasses}, {0, 0, 0, 0})};
  graph.inputs = {onnx::value("x", 1, {{0, "n"}, {4, ""}, {4, ""}, {3, ""}})};
  graph.outputs = {onnx::value("y", 1, {{0, "n"}, {kClasses, ""}})};
  ASSERT_TRUE(write_file_atomic(temp_.path() / "p.onnx", onnx::model(graph)).ok());
  const Json plain = document("validate p.onnx p.onnx --suite classify:pictures.csv");
  EXPECT_EQ(plain["results"]["metrics"]["top1"]["n"], kPictures);
  EXPECT_NEAR(plain["results"]["metrics"]["top1"]["reference"].get<double>(), 0.95, 0.01);
  ASSERT_TRUE(
      write_file_atomic(temp_.path() / "p.yaml",
                        "name: quarters\ntask: classify\nfile: pictures.csv\ninput: {scale: 1/255, mean: 0.5}\n")
          .ok());
  const auto [code, output] = halftone("ship p.onnx --suite p.yaml --gate g.yaml --recipes int8,int3 -o p.ht");
  ASSERT_EQ(code, 0) << output;
  const Json report = read(temp_.path() / "p.ht/evidence/report.json");
  EXPECT_EQ(problems(report, "report.json"), "");
  ASSERT_FALSE(report["results"]["pictures"]["quarters"].empty());
  const auto page = read_text_file(temp_.path() / "p.ht/evidence/report.html");
  EXPECT_NE(page->find(R"(<img class="picture" alt="" src="data:image/png;base64,iVBOR)"), std::string::npos);
  EXPECT_EQ(halftone("recheck p.ht/evidence").first, 0);
  const Json model = read(temp_.path() / "p.ht/model.json");
  EXPECT_EQ(model["config"]["input"]["mean"], Json::array({0.5}));
  // A suite that says nothing takes what the artifact says: bytes as they are would be another input.
  const Json own = document("validate p.ht p.ht --suite classify:pictures.csv");
  const Json said = document("validate p.ht p.ht --suite p.yaml");
  EXPECT_EQ(own["results"]["metrics"]["answer_probability"]["reference"],
            said["results"]["metrics"]["answer_probability"]["reference"]);
  EXPECT_NE(own["results"]["metrics"]["answer_probability"]["reference"],
            plain["results"]["metrics"]["answer_probability"]["reference"]);
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
