// SPDX-License-Identifier: Apache-2.0
// A small network with every kind of matrix, and samples for it.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "base/rng.h"
#include "formats/network/network_file.h"
#include "quantize/calibration/arrays.h"

namespace halftone {

inline constexpr int64_t kTestIn = 3, kTestMiddle = 20, kTestOut = 5, kTestSide = 4;

inline Tensor random_tensor(Rng& random, Shape shape) {
  std::vector<float> values(static_cast<size_t>(elements_of(shape)));
  for (float& value : values) value = static_cast<float>(2 * random.uniform() - 1);
  return Tensor::of<float>(DType::f32, std::move(shape), std::span<const float>(values));
}

// x (1, 4, 4, 3) -> conv 3x3, relu -> depthwise 3x3 with stride 2 -> grouped 1x1 -> mean -> gemm; all with biases.
inline NetworkFile test_network() {
  Rng random(11);
  auto graph = std::make_shared<network::Network>();
  graph->values = {"conv.b",  "x",       "conv.w", "a",    "r", "dw.b", "dw.w", "d",
                   "group.w", "group.b", "g",      "axes", "m", "fc.w", "fc.b", "y"};
  const auto id = [&](std::string_view name) {
    return static_cast<network::ValueId>(std::find(graph->values.begin(), graph->values.end(), name) -
                                         graph->values.begin());
  };
  const auto constant = [&](std::string_view name, Shape shape) {
    graph->constants[id(name)] = random_tensor(random, std::move(shape));
  };
  constant("conv.w", {kTestMiddle, 3, 3, kTestIn});
  constant("conv.b", {kTestMiddle});
  constant("dw.w", {kTestMiddle, 3, 3, 1});
  constant("dw.b", {kTestMiddle});
  constant("group.w", {kTestMiddle, 1, 1, kTestMiddle / 2});
  constant("group.b", {kTestMiddle});
  constant("fc.w", {kTestMiddle, kTestOut});
  constant("fc.b", {kTestOut});
  graph->constants[id("axes")] = Tensor::of<int64_t>(DType::i64, {2}, std::vector<int64_t>{1, 2});
  network::Window window, halved;
  window.auto_pad = halved.auto_pad = network::AutoPad::same_upper;
  window.order = halved.order = network::ImageOrder::channels_last;
  halved.strides = {2, 2};
  graph->nodes = {{network::Conv{window, 1}, "conv", {id("x"), id("conv.w"), id("conv.b")}, {id("a")}},
                  {network::Unary{network::UnaryKind::relu}, "relu", {id("a")}, {id("r")}},
                  {network::Conv{halved, kTestMiddle}, "dw", {id("r"), id("dw.w"), id("dw.b")}, {id("d")}},
                  {network::Conv{window, 2}, "group", {id("d"), id("group.w"), id("group.b")}, {id("g")}},
                  {network::Reduce{network::ReduceKind::mean, false}, "mean", {id("g"), id("axes")}, {id("m")}},
                  {network::Gemm{}, "fc", {id("m"), id("fc.w"), id("fc.b")}, {id("y")}}};
  graph->inputs.push_back({id("x"), DType::f32, true, {{1, ""}, {kTestSide, ""}, {kTestSide, ""}, {kTestIn, ""}}});
  for (const char* name : {"y", "a", "d", "g"}) graph->outputs.push_back({id(name), DType::f32, false, {}});
  HALFTONE_CHECK(network::finish(*graph).ok());
  NetworkFile file;
  file.path = "test.tflite";
  file.container = "tflite";
  file.network = graph;
  return file;
}

// Numbers whose channels go together and have a mean, as those of pictures do.
inline CalibrationArrays test_samples(int count, uint64_t seed = 3) {
  Rng random(seed);
  std::vector<CalibrationArray> samples;
  for (int i = 0; i < count; ++i) {
    std::vector<float> values;
    for (int64_t pixel = 0; pixel < kTestSide * kTestSide; ++pixel) {
      const double shared = random.normal();
      for (int64_t c = 0; c < kTestIn; ++c) values.push_back(static_cast<float>(0.7 + shared + 0.2 * random.normal()));
    }
    samples.push_back({std::to_string(i) + ".npy",
                       Tensor::of<float>(DType::f32, {kTestSide, kTestSide, kTestIn}, std::span<const float>(values))});
  }
  auto made = make_calibration_arrays("samples", "list", std::move(samples));
  HALFTONE_CHECK(made.ok());
  return *std::move(made);
}

}  // namespace halftone
