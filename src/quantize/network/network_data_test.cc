// SPDX-License-Identifier: Apache-2.0
// Networks quantized with data. The oracles: patches cut out by their definition, the dense methods on them, and the
// means of what networks give, in double.
#include <gtest/gtest.h>

#include <cmath>

#include "base/atomic_write.h"
#include "base/progress.h"
#include "base/temp_folder.h"
#include "quantize/calibration/statistics.h"
#include "quantize/methods/test_matrix.h"
#include "quantize/network/input_rows.h"
#include "quantize/network/network_observer.h"
#include "quantize/network/quantize_network.h"
#include "quantize/network/test_network.h"
#include "runtime/network/op_context.h"
#include "runtime/network/runner.h"

namespace halftone {
namespace {

class QuantizeNetworkData : public testing::Test {
 protected:
  Result<QuantizeReport> quantized(const std::string& yaml, const std::string& name, int threads = 2) {
    HALFTONE_ASSIGN(const Recipe recipe, parse_recipe(yaml, "r.yaml"));
    ThreadPool pool(threads);
    QuantizeOptions options;
    options.samples = given_;
    return quantize_network(source_, recipe, folder_ / name, options, pool, no_progress());
  }
  NetworkFile opened(const std::string& yaml, const std::string& name) {
    const auto report = quantized(yaml, name);
    EXPECT_TRUE(report.ok()) << report.status().message();
    auto artifact = open_network(folder_ / name);
    EXPECT_TRUE(artifact.ok()) << artifact.status().message();
    return *std::move(artifact);
  }
  // What a network gives for every sample, by output.
  std::vector<std::vector<Tensor>> outputs(const NetworkFile& file) {
    ThreadPool pool(2);
    network::Runner runner(file.network, pool, Activations::exact);  // weights alone are looked at
    std::vector<std::vector<Tensor>> all;
    for (const CalibrationArray& sample : samples_.samples) {
      const Tensor input = sample.values.reshaped({1, kTestSide, kTestSide, kTestIn});
      auto result = runner.run(std::span(&input, 1));
      HALFTONE_CHECK(result.ok());
      all.push_back(*std::move(result));
    }
    return all;
  }
  // Over all samples: the largest mean error of a channel of an output, and the root of the mean squared error.
  struct Errors {
    double mean = 0, root = 0;
  };
  Errors errors(const std::vector<std::vector<Tensor>>& found, size_t output) {
    const auto wanted = outputs(source_);
    const int64_t channels = wanted[0][output].dim(wanted[0][output].rank() - 1);
    std::vector<double> sums(static_cast<size_t>(channels));
    double squares = 0, count = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      const auto want = wanted[i][output].values<float>(), got = found[i][output].values<float>();
      for (size_t k = 0; k < want.size(); ++k, ++count) {
        const double error = static_cast<double>(got[k]) - static_cast<double>(want[k]);
        sums[k % sums.size()] += error;
        squares += error * error;
      }
    }
    Errors result{0, std::sqrt(squares / count)};
    for (const double sum : sums)
      result.mean = std::max(result.mean, std::fabs(sum / (count / static_cast<double>(channels))));
    return result;
  }

  TempFolder folder_;
  NetworkFile source_ = test_network();
  CalibrationArrays samples_ = test_samples(40);
  const CalibrationArrays* given_ = &samples_;
};

constexpr const char* kGptqChannel = "name: r\nrules:\n  - {layout: int4_channel, method: gptq}\n";
constexpr const char* kNearest = "name: r\nrules:\n  - {layout: int4_channel}\n";
constexpr const char* kCorrected = "bias_correction: true\n";
constexpr size_t kY = 0, kA = 1, kD = 2, kG = 3;

TEST(InputRows, TimesTheWeightAreTheConvolution) {
  Rng random(4);
  ThreadPool pool(1);
  int checked = 0;
  for (const bool last : {false, true})
    for (const int64_t groups : {1, 2, 6}) {
      network::Window window;
      window.order = last ? network::ImageOrder::channels_last : network::ImageOrder::channels_first;
      window.strides = {2, 1};
      window.dilations = {1, 2};
      window.pads_begin = {1, 2};
      window.pads_end = {0, 1};
      const int64_t in = 6, out = 12;
      const Tensor x = random_tensor(random, last ? Shape{2, 7, 8, in} : Shape{2, in, 7, 8});
      const Tensor w = random_tensor(random, last ? Shape{out, 3, 2, in / groups} : Shape{out, in / groups, 3, 2});
      const network::Node node{network::Conv{window, groups}, "c", {0, 1}, {2}};
      std::vector<Tensor> inputs = {x, w}, written(1);
      network::OpContext context{inputs, written, pool};
      ASSERT_TRUE(network::run_op(node.op, context).ok());
      const int64_t columns = w.elements() / out, run_rows = out / groups;
      ASSERT_EQ(input_runs(node), groups);
      const int64_t windows = written[0].elements() / 2 / out;
      for (int64_t run = 0; run < groups; ++run) {
        std::vector<float> rows;
        ASSERT_TRUE(add_input_rows(node, x, w, run, rows).ok());
        ASSERT_EQ(std::ssize(rows), 2 * windows * columns);
        for (int64_t t = 0; t < 2 * windows; ++t)
          for (int64_t r = run * run_rows; r < (run + 1) * run_rows; ++r) {
            double sum = 0;
            for (int64_t k = 0; k < columns; ++k)
              sum += static_cast<double>(rows[static_cast<size_t>(t * columns + k)]) *
                     static_cast<double>(w.values<float>()[static_cast<size_t>(r * columns + k)]);
            const int64_t at = last ? t * out + r : (t / windows * out + r) * windows + t % windows;
            EXPECT_NEAR(sum, written[0].values<float>()[static_cast<size_t>(at)], 1e-5) << t << " " << r;
            ++checked;
          }
      }
    }
  EXPECT_GT(checked, 1000);
}

TEST(InputRows, OfATransposedProductAreItsColumns) {
  const Tensor x = Tensor::of<float>(DType::f32, {2, 2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const Tensor w = Tensor::of<float>(DType::f32, {1, 2}, std::vector<float>{0, 0});
  std::vector<float> rows;
  ASSERT_TRUE(add_input_rows({network::MatMul{true, true}, "m", {0, 1}, {2}}, x, w, 0, rows).ok());
  EXPECT_EQ(rows, (std::vector<float>{1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12}));
}

// Patches of same_upper windows over (side, side, channels), zeros outside.
std::vector<float> plain_patches(std::span<const float> x, int64_t side, int64_t channels, int64_t stride,
                                 int64_t first, int64_t count) {
  const int64_t out = (side + stride - 1) / stride, pad = std::max<int64_t>((out - 1) * stride + 3 - side, 0) / 2;
  std::vector<float> rows;
  for (int64_t i = 0; i < out * out * 9; ++i) {
    const int64_t window = i / 9, y = window / out * stride - pad + i % 9 / 3, z = window % out * stride - pad + i % 3;
    for (int64_t c = first; c < first + count; ++c)
      rows.push_back(y < 0 || z < 0 || y >= side || z >= side ? 0.0F
                                                              : x[static_cast<size_t>((y * side + z) * channels + c)]);
  }
  return rows;
}

std::vector<float> gptq_of(const std::vector<float>& weight, int64_t rows, const std::vector<float>& patches) {
  ThreadPool pool(1);
  auto products = Products::create(pool);
  const int64_t columns = std::ssize(weight) / rows;
  HessianSum sum(columns);
  sum.add(patches.data(), std::ssize(patches) / columns, *products);
  TestMatrix matrix{rows, columns, weight, sum.take_mean(), {}};
  return choose_all("gptq", layout_of(LayoutId::int4_channel), matrix, {sum.tokens(), {}, matrix.hessian}).decoded;
}

std::vector<float> decoded(const NetworkFile& file, std::string_view name) {
  for (const auto& [id, packed] : file.network->packed) {
    if (file.network->name_of(id) != name) continue;
    std::vector<float> numbers(static_cast<size_t>(packed.matrix.rows * packed.matrix.columns));
    for (int64_t r = 0; r < packed.matrix.rows; ++r)
      decode_row(packed.matrix, r, numbers.data() + r * packed.matrix.columns);
    return numbers;
  }
  return {};
}

std::vector<float> floats(const NetworkFile& file, std::string_view name) {
  for (const auto& [id, tensor] : file.network->constants)
    if (file.network->name_of(id) == name) return {tensor.values<float>().begin(), tensor.values<float>().end()};
  return {};
}

TEST_F(QuantizeNetworkData, GptqIsThatOfTheDensePatches) {
  const NetworkFile artifact = opened(kGptqChannel, "g.ht");
  std::vector<float> patches;
  for (const CalibrationArray& sample : samples_.samples) {
    const auto more = plain_patches(sample.values.values<float>(), kTestSide, kTestIn, 1, 0, kTestIn);
    patches.insert(patches.end(), more.begin(), more.end());
  }
  EXPECT_EQ(decoded(artifact, "conv.w"), gptq_of(floats(source_, "conv.w"), kTestMiddle, patches));
}

TEST_F(QuantizeNetworkData, EveryChannelOfADepthwiseConvolutionHasAHessian) {
  // The layer before stays float, so that its inputs are those of the float network.
  const NetworkFile artifact = opened("rules:\n  - {op: depthwise, layout: int4_channel, method: gptq}\n", "d.ht");
  ThreadPool pool(1);
  const auto all = outputs(source_);
  const std::vector<float> found = decoded(artifact, "dw.w"), weight = floats(source_, "dw.w");
  ASSERT_EQ(found.size(), static_cast<size_t>(kTestMiddle * 9));
  for (int64_t c = 0; c < kTestMiddle; ++c) {
    std::vector<float> patches;
    for (const auto& sample : all) {
      std::vector<float> relu(sample[kA].values<float>().begin(), sample[kA].values<float>().end());
      for (float& value : relu) value = std::max(value, 0.0F);
      const auto more = plain_patches(relu, kTestSide, kTestMiddle, 2, c, 1);
      patches.insert(patches.end(), more.begin(), more.end());
    }
    const std::vector<float> row(weight.begin() + c * 9, weight.begin() + (c + 1) * 9);
    EXPECT_EQ(std::vector<float>(found.begin() + c * 9, found.begin() + (c + 1) * 9), gptq_of(row, 1, patches)) << c;
  }
}

TEST_F(QuantizeNetworkData, CorrectedBiasesTakeTheMeanErrorAwayInEveryLayer) {
  const auto plain = outputs(opened(kNearest, "n.ht")),
             corrected = outputs(opened(std::string(kNearest) + kCorrected, "c.ht"));
  for (const size_t output : {kY, kA, kD, kG}) {
    EXPECT_GT(errors(plain, output).mean, 1e-2) << output;
    EXPECT_LT(errors(corrected, output).mean, 1e-5) << output;
  }
}

TEST_F(QuantizeNetworkData, DataIsWorthItsCost) {
  const auto nearest = outputs(opened(kNearest, "n.ht")), gptq = outputs(opened(kGptqChannel, "g.ht")),
             both = outputs(opened(std::string(kGptqChannel) + kCorrected, "b.ht"));
  EXPECT_LT(errors(gptq, kY).root, 0.7 * errors(nearest, kY).root);
  EXPECT_LT(errors(both, kY).root, errors(gptq, kY).root);
}

TEST_F(QuantizeNetworkData, PalettesOfDepthwiseConvolutionsTakeOneHessian) {
  const NetworkFile artifact = opened("rules:\n  - {layout: lut4_group16, method: gptq}\n", "p.ht");
  EXPECT_EQ(artifact.network->packed.size(), 4U);
  EXPECT_LT(errors(outputs(artifact), kY).root,
            0.8 * errors(outputs(opened("rules:\n  - {layout: lut4_group16}\n", "k.ht")), kY).root);
}

// The first convolution loses much; nothing is lost by 8 bits in the third, which sees what the first one gives.
TEST_F(QuantizeNetworkData, ALayerMendsWhatTheOnesBeforeItLost) {
  const std::string rules = "rules:\n  - {match: conv.w, layout: int3_block32}\n  - {match: group.w, layout: ";
  const auto kept = outputs(opened(rules + "keep}\n", "k.ht")),
             mended = outputs(opened(rules + "int8_channel, method: gptq}\n", "m.ht"));
  EXPECT_LT(errors(mended, kG).root, 0.9 * errors(kept, kG).root);
}

TEST_F(QuantizeNetworkData, TheSameBytesForAnyNumberOfThreads) {
  const std::string recipe = std::string(kGptqChannel) + kCorrected;
  ASSERT_TRUE(quantized(recipe, "1.ht", 1).ok());
  ASSERT_TRUE(quantized(recipe, "3.ht", 3).ok());
  const auto one = read_text_file(folder_ / "1.ht" / "weights.safetensors"),
             three = read_text_file(folder_ / "3.ht" / "weights.safetensors");
  ASSERT_TRUE(one.ok() && three.ok());
  EXPECT_EQ(*one, *three);
}

TEST_F(QuantizeNetworkData, WhatIsNotKeptIsComputedAgain) {
  ThreadPool pool(2);
  const auto weights = weights_of(source_, pool);
  ASSERT_TRUE(weights.ok());
  std::vector<Tensor> inputs;
  for (const CalibrationArray& sample : samples_.samples)
    inputs.push_back(sample.values.reshaped({1, kTestSide, kTestSide, kTestIn}));
  SampleRuns kept(weights->network, inputs, pool), forgetful(weights->network, inputs, pool, 3000);
  for (const size_t node : {0, 2, 3, 5})
    for (const size_t sample : {0, 1, 2, 39}) {
      const auto a = kept.input_of(node, sample), b = forgetful.input_of(node, sample);
      ASSERT_TRUE(a.ok() && b.ok());
      ASSERT_EQ(a->shape(), b->shape());
      EXPECT_TRUE(std::ranges::equal(a->values<float>(), b->values<float>())) << node << " " << sample;
    }
}

TEST_F(QuantizeNetworkData, WhatIsMissingIsNamed) {
  const auto problem = [&](const std::string& yaml) {
    const auto report = quantized(yaml, "x.ht");
    return report.ok() ? std::string() : std::string(report.status().message());
  };
  given_ = nullptr;
  EXPECT_NE(problem(kGptqChannel).find("expected --calibration LIST, got none"), std::string::npos);
  EXPECT_NE(problem(std::string(kNearest) + kCorrected).find("expected --calibration LIST"), std::string::npos);
  given_ = &samples_;
  EXPECT_NE(problem("rules:\n  - {layout: keep}\nbias_correction: true\n").find("have a bias of their own, got none"),
            std::string::npos);
  EXPECT_EQ(problem("rules:\n  - {layout: keep}\nbias_correction: if_any\n"), "");
  for (CalibrationArray& sample : samples_.samples) sample.values = sample.values.reshaped({48}).reshaped({48, 1});
  samples_.samples[0].values = Tensor::of<float>(DType::f32, {2}, std::vector<float>{1, 2});
  EXPECT_NE(problem(kGptqChannel).find("0.npy: expected [1, 4, 4, 3] as input x of test.tflite takes, got [2]"),
            std::string::npos);
}

std::string problem_of(std::vector<CalibrationArray> samples) {
  const auto made = make_calibration_arrays("list.csv", "list", std::move(samples));
  return made.ok() ? "" : std::string(made.status().message());
}

TEST(CalibrationArrays, SaysWhatIsWrongWithSamples) {
  const auto of = [](std::vector<float> values) {
    return Tensor::of<float>(DType::f32, {static_cast<int64_t>(values.size())}, std::span<const float>(values));
  };
  EXPECT_EQ(problem_of({}), "[calibration] list.csv: expected samples, got none");
  EXPECT_EQ(problem_of({{"a", of({1, 2})}, {"b", of({1, 2})}}),
            "[calibration] list.csv: expected different samples, got one repeated 2 times");
  EXPECT_EQ(problem_of({{"a", of({1, 2})}, {"b", of({1, 2, 3})}}), "[calibration] b: expected [2] as in a, got [3]");
  EXPECT_EQ(problem_of({{"a", of({1, NAN})}}), "[calibration] a: expected finite numbers, got NaN at 1");
  EXPECT_EQ(problem_of({{"a", of({1, 2})}, {"b", of({1, 2})}, {"c", of({2, 1})}}), "");
}

}  // namespace
}  // namespace halftone
