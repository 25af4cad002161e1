// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "base/progress.h"
#include "base/temp_folder.h"
#include "quantize/network/quantize_network.h"
#include "quantize/network/test_network.h"
#include "runtime/network/runner.h"

namespace halftone {
namespace {

constexpr int64_t kIn = 3, kMiddle = 20, kOut = 5, kSide = 4;

// x (1, 4, 4, 3) -> conv 3x3 -> depthwise 3x3 -> mean -> matmul whose constant has its columns first, plus a shape.
NetworkFile small_network() {
  Rng random(7);
  auto graph = std::make_shared<network::Network>();
  graph->values = {"x", "conv.w", "conv.b", "a", "dw.w", "d", "axes", "m", "fc.w", "y", "shape", "z"};
  graph->constants[1] = random_tensor(random, {kMiddle, 3, 3, kIn});
  graph->constants[2] = random_tensor(random, {kMiddle});
  graph->constants[4] = random_tensor(random, {kMiddle, 3, 3, 1});
  graph->constants[6] = Tensor::of<int64_t>(DType::i64, {2}, std::vector<int64_t>{1, 2});
  graph->constants[8] = random_tensor(random, {kMiddle, kOut});
  graph->constants[10] = Tensor::of<int64_t>(DType::i64, {1}, std::vector<int64_t>{-1});
  network::Window window;
  window.auto_pad = network::AutoPad::same_upper;
  window.order = network::ImageOrder::channels_last;
  graph->nodes = {{network::Conv{window, 1}, "conv", {0, 1, 2}, {3}},
                  {network::Conv{window, kMiddle}, "dw", {3, 4}, {5}},
                  {network::Reduce{network::ReduceKind::mean, false}, "mean", {5, 6}, {7}},
                  {network::MatMul{}, "fc", {7, 8}, {9}},
                  {network::Reshape{}, "flat", {9, 10}, {11}}};
  graph->inputs.push_back({0, DType::f32, true, {{1, ""}, {kSide, ""}, {kSide, ""}, {kIn, ""}}});
  graph->outputs.push_back({11, DType::f32, false, {}});
  EXPECT_TRUE(network::finish(*graph).ok());
  NetworkFile file;
  file.path = "small.tflite";
  file.container = "tflite";
  file.network = graph;
  return file;
}

std::vector<float> run(const NetworkFile& file) {
  Rng random(9);
  const Tensor x = random_tensor(random, {1, kSide, kSide, kIn});
  ThreadPool pool(2);
  auto outputs = network::Runner(file.network, pool).run(std::span(&x, 1));
  EXPECT_TRUE(outputs.ok()) << outputs.status().message();
  const auto values = (*outputs)[0].values<float>();
  return {values.begin(), values.end()};
}

Result<QuantizeReport> quantized(std::string_view recipe, const std::filesystem::path& target) {
  const auto rules = load_recipe(recipe);
  EXPECT_TRUE(rules.ok()) << rules.status().message();
  ThreadPool pool(2);
  return quantize_network(small_network(), *rules, target, {}, pool, no_progress());
}

TEST(QuantizeNetwork, KeptNumbersGiveTheSameOutputs) {
  const TempFolder folder;
  const auto recipe = parse_recipe("name: keep\nrules:\n  - {match: \"*\", layout: keep}\n", "keep.yaml");
  ASSERT_TRUE(recipe.ok());
  ThreadPool pool(2);
  const auto report = quantize_network(small_network(), *recipe, folder / "k.ht", {}, pool, no_progress());
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_TRUE(is_network(folder / "k.ht"));
  const auto artifact = open_network(folder / "k.ht");
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  EXPECT_EQ(artifact->container, "halftone");
  EXPECT_TRUE(artifact->network->packed.empty());
  EXPECT_EQ(artifact->network->constants.size(), 6U);
  const std::vector<float> expected = run(small_network()), found = run(*artifact);
  ASSERT_EQ(expected.size(), static_cast<size_t>(kOut));
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5F) << i;
}

TEST(QuantizeNetwork, MatricesBecomeCodesAndVectorsStay) {
  const TempFolder folder;
  const auto report = quantized("int8", folder / "q.ht");
  ASSERT_TRUE(report.ok()) << report.status().message();
  std::map<std::string, const TensorReport*> tensors;
  for (const TensorReport& tensor : report->tensors) tensors[tensor.name] = &tensor;
  ASSERT_EQ(tensors.size(), 4U);
  EXPECT_EQ(tensors.at("conv.w")->op, "conv");
  EXPECT_EQ(tensors.at("conv.w")->layout, "int8_channel");
  EXPECT_EQ(tensors.at("conv.w")->elements, kMiddle * 27);
  EXPECT_EQ(tensors.at("dw.w")->op, "depthwise");
  EXPECT_EQ(tensors.at("fc.w")->op, "linear");
  EXPECT_EQ(tensors.at("conv.b")->rule, "vector, kept");
  EXPECT_EQ(tensors.at("conv.b")->layout, "f32");
  const auto artifact = open_network(folder / "q.ht");
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  EXPECT_EQ(artifact->network->packed.size(), 3U);
  // Nearest codes, by hand: a scale per output, |error| at most half of it.
  const NetworkFile source = small_network();
  for (const auto& [id, packed] : artifact->network->packed) {
    const std::string& name = artifact->network->name_of(id);
    const Tensor& constant = source.network->constants.at(id);
    const bool turned = name == "fc.w";
    ASSERT_EQ(packed.shape, turned ? Shape({kOut, kMiddle}) : constant.shape()) << name;
    std::vector<float> row(static_cast<size_t>(packed.matrix.columns));
    for (int64_t r = 0; r < packed.matrix.rows; ++r) {
      decode_row(packed.matrix, r, row.data());
      float largest = 0;
      const auto number = [&, columns = packed.matrix.columns](int64_t k) {
        return constant.values<float>()[static_cast<size_t>(turned ? k * kOut + r : r * columns + k)];
      };
      for (int64_t k = 0; k < packed.matrix.columns; ++k) largest = std::max(largest, std::fabs(number(k)));
      for (int64_t k = 0; k < packed.matrix.columns; ++k)
        EXPECT_NEAR(row[static_cast<size_t>(k)], number(k), largest / 127 * 0.51F) << name << " " << r << " " << k;
    }
  }
  const std::vector<float> expected = run(source), found = run(*artifact);
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], 0.2F) << i;
    EXPECT_NE(found[i], expected[i]) << i;
  }
}

std::string problem(const std::string& yaml) {
  const TempFolder folder;
  const auto recipe = parse_recipe(yaml, "r.yaml");
  if (!recipe.ok()) return std::string(recipe.status().message());
  ThreadPool pool(1);
  const auto report = quantize_network(small_network(), *recipe, folder / "q.ht", {}, pool, no_progress());
  return report.ok() ? "" : std::string(report.status().message());
}

TEST(QuantizeNetwork, RulesNameOps) {
  EXPECT_EQ(problem("name: r\nrules:\n  - {op: depthwise, layout: keep}\n  - {op: conv, layout: int4_channel}\n"
                    "  - {op: linear, layout: int8_channel}\n"),
            "");
  EXPECT_NE(problem("name: r\nrules:\n  - {op: embedding, layout: int8_channel}\n")
                .find("expected to hit at least one tensor, got none"),
            std::string::npos);
  EXPECT_NE(
      problem("name: r\nrules:\n  - {match: \"*\", layout: int4_channel, method: gptq}\n").find("--calibration LIST"),
      std::string::npos);
}

TEST(QuantizeNetwork, CodesAreNotQuantizedAgain) {
  const TempFolder folder;
  ASSERT_TRUE(quantized("int8", folder / "q.ht").ok());
  const auto artifact = open_network(folder / "q.ht");
  ASSERT_TRUE(artifact.ok());
  const auto recipe = load_recipe("int4");
  ThreadPool pool(1);
  const auto again = quantize_network(*artifact, *recipe, folder / "r.ht", {}, pool, no_progress());
  ASSERT_FALSE(again.ok());
  EXPECT_NE(std::string(again.status().message()).find("expected float weights, got int8_channel"), std::string::npos);
}

}  // namespace
}  // namespace halftone
