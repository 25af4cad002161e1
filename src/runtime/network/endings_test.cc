// SPDX-License-Identifier: Apache-2.0
#include "runtime/network/endings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"
#include "runtime/network/layouts.h"
#include "runtime/network/ops/op_problem.h"
#include "runtime/network/runner.h"

namespace halftone::network {
namespace {

// One node after the other, as written.
std::vector<Tensor> run_plainly(const Network& network, const Tensor& x) {
  std::vector<Tensor> values(network.values.size());
  values[static_cast<size_t>(network.inputs[0].value)] = x;
  for (const auto& [id, tensor] : network.constants) values[static_cast<size_t>(id)] = tensor;
  for (const Node& node : network.nodes) {
    std::vector<Tensor> inputs;
    for (const ValueId id : node.inputs) inputs.push_back(id == kNoValue ? Tensor() : values[static_cast<size_t>(id)]);
    const Ran ran = compute(node.op, inputs);
    EXPECT_TRUE(ran.status.ok()) << ran.error();
    values[static_cast<size_t>(node.outputs[0])] = ran.outputs[0];
  }
  std::vector<Tensor> outputs;
  for (const Port& port : network.outputs) outputs.push_back(values[static_cast<size_t>(port.value)]);
  return outputs;
}

// x (1, 6, 5, 7) → three convolutions with what follows them; `shown`: values that are outputs, too.
std::shared_ptr<Network> ended_network(const std::vector<ValueId>& shown) {
  Rng rng(3);
  auto network = std::make_shared<Network>();
  network->values = {"x", "w", "a", "b", "c", "d", "v", "e", "f", "g", "h", "u", "least", "most", "i", "y"};
  network->constants[1] = normal_floats(rng, {6, 6, 3, 3});
  network->constants[6] = normal_floats(rng, {6, 1, 3, 3});
  network->constants[11] = normal_floats(rng, {6, 6, 1, 1});
  network->constants[12] = floats({}, {-1});
  network->constants[13] = floats({}, {2});
  Conv conv, pointwise;
  conv.window.pads_begin = conv.window.pads_end = {1, 1};
  Conv depthwise = conv;
  depthwise.groups = 6;
  network->nodes = {{conv, "conv", {0, 1}, {2}},
                    {Unary{UnaryKind::relu}, "relu", {2}, {3}},
                    {depthwise, "depthwise", {3, 6}, {4}},
                    {Binary{BinaryKind::add}, "sum", {3, 4}, {5}},
                    {Clip{}, "clip", {5, 12, 13}, {7}},
                    {pointwise, "pointwise", {7, 11}, {8}},
                    {Binary{BinaryKind::add}, "twice", {8, 8}, {9}},
                    {pointwise, "again", {9, 11}, {10}},
                    {Binary{BinaryKind::add}, "last", {10, 7}, {14}},
                    {Unary{UnaryKind::relu}, "end", {14}, {15}}};
  network->inputs = {{0, DType::f32, false, {}}};
  network->outputs = {{15, DType::f32, false, {}}};
  for (const ValueId id : shown) network->outputs.push_back({id, DType::f32, false, {}});
  return network;
}

void expect_same_bits(const std::shared_ptr<Network>& network, const Tensor& x) {
  ASSERT_TRUE(finish(*network).ok());
  ThreadPool pool(2);
  Runner runner(network, pool);
  const Result<std::vector<Tensor>> got = runner.run(std::span(&x, 1));
  ASSERT_TRUE(got.ok()) << got.status().message();
  const std::vector<Tensor> want = run_plainly(*network, x);
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ((*got)[i].shape(), want[i].shape()) << i;
    EXPECT_TRUE(std::ranges::equal((*got)[i].bytes(), want[i].bytes())) << i;
  }
}

size_t nodes_left(const std::shared_ptr<Network>& network) {
  EXPECT_TRUE(finish(*network).ok());
  Network planned = *plan_layouts(network);
  plan_endings(planned);
  size_t left = 0;
  for (const Node& node : planned.nodes) left += std::holds_alternative<Transpose>(node.op) ? 0 : 1;
  return left;
}

TEST(Endings, GoIntoConvolutionsBitForBit) {
  Rng rng(4);
  const Tensor x = normal_floats(rng, {1, 6, 5, 7});
  // relu; sum and clip; sum and relu. A value that is added to itself stays apart.
  EXPECT_EQ(nodes_left(ended_network({})), 5u);
  expect_same_bits(ended_network({}), x);
  Tensor wild = normal_floats(rng, {1, 6, 5, 7});
  wild.mutable_values<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  wild.mutable_values<float>()[40] = std::numeric_limits<float>::infinity();
  const Result<std::vector<Tensor>> got = [&] {
    static ThreadPool pool(2);
    auto network = ended_network({});
    EXPECT_TRUE(finish(*network).ok());
    return Runner(network, pool).run(std::span(&wild, 1));
  }();
  ASSERT_TRUE(got.ok());
  const Tensor want = run_plainly(*ended_network({}), wild)[0];
  for (size_t i = 0; i < static_cast<size_t>(want.elements()); ++i)
    EXPECT_EQ(std::isnan((*got)[0].values<float>()[i]), std::isnan(want.values<float>()[i])) << i;
}

TEST(Endings, WhatIsShownIsNotEnded) {
  Rng rng(5);
  const Tensor x = normal_floats(rng, {1, 6, 5, 7});
  EXPECT_EQ(nodes_left(ended_network({2})), 6u);   // the first sum before its relu
  EXPECT_EQ(nodes_left(ended_network({14})), 6u);  // a sum before its relu
  expect_same_bits(ended_network({2, 4, 14}), x);
}

TEST(Endings, AnImageThatIsRepeatedIsAddedAfterwards) {
  Rng rng(6);
  auto network = std::make_shared<Network>();
  network->values = {"x", "w", "mean", "a", "b", "y"};
  network->constants[1] = normal_floats(rng, {6, 6, 3, 3});
  Pool mean{PoolKind::average, {}};
  mean.global = true;
  Conv conv;
  conv.window.pads_begin = conv.window.pads_end = {1, 1};
  network->nodes = {{conv, "before", {0, 1}, {3}},
                    {mean, "mean", {3}, {2}},
                    {conv, "conv", {0, 1}, {4}},
                    {Binary{BinaryKind::add}, "add", {4, 2}, {5}}};
  network->inputs = {{0, DType::f32, false, {}}};
  network->outputs = {{5, DType::f32, false, {}}};
  EXPECT_EQ(nodes_left(network), 3u);
  expect_same_bits(network, normal_floats(rng, {2, 6, 5, 7}));
}

}  // namespace
}  // namespace halftone::network
