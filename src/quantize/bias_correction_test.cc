// SPDX-License-Identifier: Apache-2.0
// The oracle: what the source's matrix gives for the inputs that the artifact computes, in double.
#include <gtest/gtest.h>

#include <cmath>

#include "formats/artifact/artifact.h"
#include "formats/test_files.h"
#include "quantize/evaluate/evaluator.h"
#include "quantize/quantize.h"
#include "quantize/test_model.h"

namespace halftone {
namespace {

constexpr const char* kCorrected = "rules:\n  - {layout: int4_channel}\nbias_correction: true\n";

class BiasCorrection : public testing::TestWithParam<std::string> {
 protected:
  Result<QuantizeReport> run(const TestModel& model, const std::string& recipe, int threads = 2) {
    HALFTONE_ASSIGN(const Recipe parsed, parse_recipe(recipe, "r.yaml"));
    ThreadPool pool(threads);
    QuantizeOptions options;
    options.replace = true;
    options.calibration = calibration_;
    return quantize(*model.model, parsed, out_, options, pool, no_progress());
  }
  // Of the artifact on the calibration: the largest mean error of an output of a Linear with a bias, that of the inputs
  // left out, over the root mean square of its outputs. How many such Linears there are.
  double largest_mean_error(const TestModel& model, int& linears) const {
    const auto artifact = load_language_model(out_);
    HALFTONE_CHECK(artifact.ok());
    ThreadPool pool(2);
    const Graph& graph = (*artifact)->model->graph();
    const auto weights = WeightTable::create(graph, (*artifact)->file);
    const auto source = WeightTable::create(graph, model.file());
    auto evaluator = Evaluator::create(graph, *weights, texts_, pool, {.keep_values = true});
    HALFTONE_CHECK(evaluator.ok() && (*evaluator)->run(0, graph.nodes.size()).ok());
    double largest = 0;
    linears = 0;
    for (const Node& node : graph.nodes) {
      const auto* linear = std::get_if<Linear>(&node.op);
      if (linear == nullptr || linear->bias == kNoWeight) continue;
      ++linears;
      const std::vector<float> matrix = source->values(linear->weight), bias = source->vector(linear->bias);
      const auto x = (*evaluator)->value(node.inputs[0]), y = (*evaluator)->value(node.output);
      const size_t rows = bias.size(), columns = matrix.size() / rows, tokens = x.size() / columns;
      for (size_t r = 0; r < rows; ++r) {
        double error = 0, squares = 0;
        for (size_t t = 0; t < tokens; ++t) {
          double want = static_cast<double>(bias[r]);
          for (size_t k = 0; k < columns; ++k)
            want += static_cast<double>(matrix[r * columns + k]) * static_cast<double>(x[t * columns + k]);
          error += static_cast<double>(y[t * rows + r]) - want;
          squares += want * want;
        }
        const auto n = static_cast<double>(tokens);
        largest = std::max(largest, std::fabs(error / n) / std::sqrt(squares / n));
      }
    }
    return largest;
  }

  TempFolder folder_;
  std::filesystem::path out_ = folder_ / "out.ht";
  Sequences texts_ = random_texts(12, 16);
  const Sequences* calibration_ = &texts_;
};

TEST_P(BiasCorrection, TakesTheMeanErrorAway) {
  const TestModel model(GetParam(), DType::f16);
  int linears = 0;
  ASSERT_TRUE(run(model, "rules:\n  - {layout: int4_channel}\n").ok());
  EXPECT_GT(largest_mean_error(model, linears), 0.01);
  const auto report = run(model, kCorrected);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_LT(largest_mean_error(model, linears), 1e-5);
  int told = 0;
  for (const TensorReport& tensor : report->tensors) {
    if (tensor.rule.find("; takes the mean error of ") == std::string::npos) continue;
    EXPECT_EQ(tensor.layout, "f32") << tensor.name;  // f16 in the source: a correction is finer
    ++told;
  }
  EXPECT_EQ(told, linears);
  ThreadPool pool(2);
  EXPECT_TRUE(verify_artifact(out_, pool, no_progress()).ok());
}

TEST_P(BiasCorrection, BytesDoNotDependOnThreads) {
  const TestModel model(GetParam());
  ASSERT_TRUE(run(model, kCorrected, 1).ok());
  const std::string one = read_text(out_ / "weights.safetensors");
  ASSERT_TRUE(run(model, kCorrected, 3).ok());
  EXPECT_EQ(read_text(out_ / "weights.safetensors"), one);
}

// Tuning begins with the corrected biases: steps too small to move anything leave them.
TEST_P(BiasCorrection, IsWhatTuningBeginsWith) {
  const TestModel model(GetParam(), DType::f16);
  int linears = 0;
  ASSERT_TRUE(run(model, std::string(kCorrected) + "tune: {steps: 1, rate: 0.000000001}\n").ok());
  EXPECT_LT(largest_mean_error(model, linears), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Families, BiasCorrection, testing::Values("tiny-qwen2", "tiny-phi"),
                         [](const auto& info) { return info.param == "tiny-phi" ? "phi" : "qwen2"; });

class BiasCorrectionRefuses : public BiasCorrection {};
INSTANTIATE_TEST_SUITE_P(One, BiasCorrectionRefuses, testing::Values("tiny"));

TEST_P(BiasCorrectionRefuses, WhatItCannotDo) {
  const TestModel without(GetParam()), with("tiny-qwen2");
  const auto message = [&](const TestModel& model, const std::string& recipe) {
    const auto report = run(model, recipe);
    return report.ok() ? "accepted" : std::string(report.status().message());
  };
  EXPECT_TRUE(contains(message(without, kCorrected), "expected matrices that get codes and have a bias, got none"));
  EXPECT_TRUE(contains(message(with, "rules:\n  - {layout: f16}\nbias_correction: true\n"),
                       "expected matrices that get codes and have a bias, got none"));
  calibration_ = nullptr;
  EXPECT_TRUE(contains(message(with, kCorrected), "expected --calibration FILE, got none"));
}

}  // namespace
}  // namespace halftone
