// SPDX-License-Identifier: Apache-2.0
#include "formats/tflite/tflite.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "formats/tflite/test_model.h"

namespace halftone::tflite {
namespace {

using network::Network;

Result<Network> import(const std::string& file) {
  const auto keep = std::make_shared<const std::string>(file);
  return import_tflite(std::as_bytes(std::span(*keep)), "m.tflite", keep);
}

std::string problem(const std::string& file) {
  const auto network = import(file);
  return network.ok() ? "" : std::string(network.status().message());
}

// x [1, 4, 4, 2] -> conv (3 outputs, stride 2, SAME, relu6) -> fully connected of 5.
TestModel small_model(std::string_view second = "FULLY_CONNECTED") {
  TestModel model;
  model.tensor({"x", {1, 4, 4, 2}});
  model.constant("w", Element::f32, {3, 3, 3, 2}, std::vector<float>(54, 0.5F));
  model.constant("b", Element::f32, {3}, std::vector<float>{1, 2, 3});
  model.tensor({"y", {1, 2, 2, 3}});
  model.constant("w2", Element::f32, {5, 12}, std::vector<float>(60, 0.25F));
  model.tensor({"z", {1, 5}});
  model.op("CONV_2D", {0, 1, 2}, {3}, {{0, int8_t{0}}, {1, 2}, {2, 2}, {3, int8_t{3}}});
  model.op(second, {3, 4, -1}, {5});
  return model;
}

TEST(TfliteTest, ReadsAConvolutionAndALinearLayer) {
  const auto network = import(small_model().write({0}, {5}));
  ASSERT_TRUE(network.ok()) << network.status().message();
  EXPECT_EQ(dump(*network),
            "y/conv = conv(x, w, b)\n"
            "y = clip(y/conv, constant, constant#2)\n"
            "z/reshape = reshape(y, constant#3)\n"
            "z = gemm(z/reshape, w2)\n");
  const auto& conv = std::get<network::Conv>(network->nodes[0].op);
  EXPECT_EQ(conv.window.strides, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(conv.window.auto_pad, network::AutoPad::same_upper);
  EXPECT_EQ(conv.window.order, network::ImageOrder::channels_last);
  EXPECT_EQ(conv.groups, 1);
  ASSERT_EQ(network->inputs.size(), 1U);
  EXPECT_EQ(network->inputs[0].shape[1].size, 4);
  EXPECT_EQ(network->name_of(network->outputs[0].value), "z");
}

TEST(TfliteTest, IntegerTensorsAreFloatOnesBetweenQuantizeAndDequantize) {
  TestModel model;
  model.tensor({"x", {1, 2, 2, 2}, Element::i8, "", {0.5F}, {83}});
  // Depthwise: (1, 2, 2, 2), a scale per channel, the last axis.
  model.tensor({"w", {1, 2, 2, 2}, Element::i8, std::string("\1\2\3\4\5\6\7\10", 8), {0.25F, 0.5F}, {0, 0}, 3});
  model.tensor(
      {"b", {2}, Element::i32, TestModel::bytes_of_values(std::vector<int32_t>{10, 20}), {0.125F, 0.25F}, {0, 0}});
  model.tensor({"y", {1, 1, 1, 2}, Element::i8, "", {0.5F}, {-128}});
  model.op("DEPTHWISE_CONV_2D", {0, 1, 2}, {3}, {{0, int8_t{1}}, {1, 1}, {2, 1}, {3, 1}, {4, int8_t{1}}});
  const auto network = import(model.write({0}, {3}));
  ASSERT_TRUE(network.ok()) << network.status().message();
  EXPECT_EQ(dump(*network),
            "x/real = dequantize(x, x/scale, x/zero)\n"
            "w/real = dequantize(w/turned, w/scale, _)\n"
            "b/real = dequantize(b, b/scale, _)\n"
            "y/conv = conv(x/real, w/real, b/real)\n"
            "y/relu = relu(y/conv)\n"
            "y = quantize(y/relu, y/scale, y/zero)\n");
  EXPECT_EQ(network->inputs[0].type, DType::i8);
  EXPECT_EQ(std::get<network::Dequantize>(network->nodes[1].op).axis, 0);
  EXPECT_EQ(std::get<network::Conv>(network->nodes[3].op).groups, 2);
  // (out, height, width, 1): the codes of each channel together.
  const auto codes = std::find_if(network->constants.begin(), network->constants.end(),
                                  [&](const auto& entry) { return network->name_of(entry.first) == "w/turned"; });
  ASSERT_NE(codes, network->constants.end());
  EXPECT_EQ(codes->second.shape(), (Shape{2, 2, 2, 1}));
  const auto values = codes->second.values<int8_t>();
  EXPECT_EQ(std::vector<int>(values.begin(), values.end()), (std::vector<int>{1, 3, 5, 7, 2, 4, 6, 8}));
}

TEST(TfliteTest, NibblesAreSignedCodes) {
  TestModel model;
  model.tensor({"x", {1, 3}});
  model.tensor({"w", {1, 3}, Element::i4, std::string("\x8F\x07", 2), {1.0F}, {0}});
  model.tensor({"y", {1, 1}});
  model.op("FULLY_CONNECTED", {0, 1}, {2});
  const auto network = import(model.write({0}, {2}));
  ASSERT_TRUE(network.ok()) << network.status().message();
  for (const auto& [id, tensor] : network->constants) {
    if (network->name_of(id) != "w") continue;
    const auto values = tensor.values<int8_t>();
    EXPECT_EQ(std::vector<int>(values.begin(), values.end()), (std::vector<int>{-1, -8, 7}));
  }
}

TEST(TfliteTest, ADimensionThatVariesHasNoSize) {
  TestModel model;
  model.tensor({"x", {1, 8}, Element::f32, "", {}, {}, 0, {-1, 8}});
  model.tensor({"y", {1, 8}});
  model.op("RELU", {0}, {1});
  const auto network = import(model.write({0}, {1}));
  ASSERT_TRUE(network.ok()) << network.status().message();
  EXPECT_EQ(network->inputs[0].shape[0].size, -1);
  EXPECT_EQ(network->inputs[0].shape[1].size, 8);
}

TEST(TfliteTest, OperatorsThatAreMissingAreNamedAllAtOnce) {
  TestModel model;
  for (int i = 0; i < 5; ++i) model.tensor({"t" + std::to_string(i), {1, 8}});
  model.op("SVDF", {0}, {1});
  model.op("RELU", {1}, {2});
  model.custom("Detect", {2}, {3});
  model.op("SVDF", {3}, {4});
  EXPECT_EQ(
      problem(model.write({0}, {4})),
      "m.tflite: expected operators that halftone computes, got 2 more: SVDF (2x), custom \"Detect\" (1x); export "
      "the model without them");
}

TEST(TfliteTest, WhatDoesNotFitTogetherIsNamed) {
  EXPECT_EQ(problem("no model at all"),
            "m.tflite: expected \"TFL3\" at offset 4, got something else; this is no TFLite model");
  TestModel old = small_model();
  old.version = 2;
  EXPECT_EQ(problem(old.write({0}, {5})), "m.tflite: expected schema version 3, got 2");
  EXPECT_EQ(problem(small_model().write({0}, {99})), "m.tflite: the graph's outputs: expected tensors below 6, got 99");
  EXPECT_EQ(problem(small_model().write({}, {5})), "m.tflite: expected inputs and outputs, got 0 and 1");
  EXPECT_EQ(
      problem(small_model().write({3}, {5})),
      "m.tflite: operator 0 (CONV_2D, writes y): expected inputs that an earlier operator, an input or a constant "
      "writes, got x");
  EXPECT_EQ(problem(small_model("RELU").write({0}, {5})),
            "m.tflite: operator 1 (RELU, writes z): expected 1 inputs, got 2");
  TestModel lie;
  lie.tensor({"x", {1, 8}});
  lie.tensor({"w", {4, 8}, Element::f32, std::string(100, 'x')});
  EXPECT_EQ(problem(lie.write({0}, {1})), "m.tflite: tensor w: expected 128 bytes of float32 [4, 8], got 100");
  TestModel huge;
  huge.tensor({"x", {2147483647, 2147483647, 2147483647}});
  EXPECT_NE(problem(huge.write({0}, {0})).find("tensor x: expected sizes of at most"), std::string::npos);
  TestModel scales;
  scales.tensor({"x", {1, 8}, Element::i8, "", {1, 2, 3}, {0}, 1});
  EXPECT_EQ(problem(scales.write({0}, {0})),
            "m.tflite: tensor x: expected one scale per index of axis 1 of [1, 8], got 3");
}

TEST(TfliteTest, OperatorsHaveTheSchemasNumbers) {
  EXPECT_EQ(operator_name(0), "ADD");
  EXPECT_EQ(operator_name(kCustomOperator), "CUSTOM");
  EXPECT_EQ(operator_name(97), "RESIZE_NEAREST_NEIGHBOR");
  EXPECT_EQ(operator_name(126), "BATCH_MATMUL");
  EXPECT_EQ(operator_name(161), "RIGHT_SHIFT");
  EXPECT_EQ(operator_name(162), "operator 162");
  EXPECT_EQ(operator_name(-1), "operator -1");
  EXPECT_EQ(operator_code("BATCH_MATMUL"), 126);
}

TEST(TfliteTest, ATensorHasOneWriter) {
  TestModel model;
  model.tensor({"x", {1, 8}});
  model.tensor({"y", {1, 8}});
  model.op("RELU", {0}, {1});
  model.op("TANH", {0}, {1});
  EXPECT_EQ(problem(model.write({0}, {1})),
            "m.tflite: operator 1 (TANH, writes y): expected to write y alone, got a second writer");
}

// Every prefix of a file, and every byte of it turned over: refused with words, or a network.
TEST(TfliteTest, TruncatedAndDamagedFilesAreRefusedWithWords) {
  const std::string whole = small_model().write({0}, {5});
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto network = import(whole.substr(0, size));
    if (!network.ok()) {
      EXPECT_TRUE(network.status().message().starts_with("m.tflite")) << network.status().message();
    }
  }
  int refused = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(~damaged[at]);
    refused += !import(damaged).ok();
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace halftone::tflite
