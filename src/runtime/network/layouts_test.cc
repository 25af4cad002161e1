// SPDX-License-Identifier: Apache-2.0
#include "runtime/network/layouts.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "runtime/network/ops/op_problem.h"
#include "runtime/network/runner.h"

namespace halftone::network {
namespace {

// x → conv → relu → (+ a number per channel) → depthwise conv → (+ the relu) → pool → flatten, with the relu shown,
// too.
std::shared_ptr<Network> small_network() {
  Rng rng(3);
  auto network = std::make_shared<Network>();
  network->values = {"x", "w", "a", "b", "c", "d", "v", "e", "f", "p", "y"};
  network->constants[1] = normal_floats(rng, {6, 3, 3, 3});
  network->constants[4] = normal_floats(rng, {6, 1, 1});
  network->constants[6] = normal_floats(rng, {6, 1, 3, 3});
  Conv conv, depthwise;
  conv.window.pads_begin = conv.window.pads_end = {1, 1};
  depthwise = conv;
  depthwise.groups = 6;
  Pool pool{PoolKind::average, {}};
  pool.global = true;
  network->nodes = {{conv, "conv", {0, 1}, {2}},
                    {Unary{UnaryKind::relu}, "relu", {2}, {3}},
                    {Binary{BinaryKind::add}, "add", {4, 3}, {5}},
                    {depthwise, "depthwise", {5, 6}, {7}},
                    {Binary{BinaryKind::add}, "sum", {7, 3}, {8}},
                    {pool, "pool", {8}, {9}},
                    {Flatten{1}, "flatten", {9}, {10}}};
  network->inputs = {{0, DType::f32, false, {}}};
  network->outputs = {{10, DType::f32, false, {}}, {3, DType::f32, false, {}}};
  return network;
}

TEST(Layouts, ChainsTurnOnceAndGiveTheSameBits) {
  const auto network = small_network();
  ASSERT_TRUE(finish(*network).ok());
  const auto planned = plan_layouts(network);
  size_t turns = 0;
  for (const Node& node : planned->nodes) turns += std::holds_alternative<Transpose>(node.op) ? 1 : 0;
  EXPECT_EQ(turns, 3u);  // the input, the shown relu, the pooled numbers
  EXPECT_EQ(planned->nodes.size(), network->nodes.size() + turns);
  for (const Node& node : planned->nodes) {
    const Conv* conv = std::get_if<Conv>(&node.op);
    EXPECT_TRUE(conv == nullptr || conv->window.order == ImageOrder::channels_last);
  }

  Rng rng(4);
  const Tensor x = normal_floats(rng, {2, 3, 5, 7});
  ThreadPool pool(2);
  Runner runner(network, pool);
  const Result<std::vector<Tensor>> got = runner.run(std::span(&x, 1));
  ASSERT_TRUE(got.ok()) << got.status().message();
  // One op after the other, as written.
  std::vector<Tensor> values(network->values.size());
  values[0] = x;
  for (const auto& [id, tensor] : network->constants) values[static_cast<size_t>(id)] = tensor;
  for (const Node& node : network->nodes) {
    std::vector<Tensor> inputs;
    for (const ValueId id : node.inputs) inputs.push_back(values[static_cast<size_t>(id)]);
    const Ran ran = compute(node.op, inputs);
    ASSERT_TRUE(ran.status.ok()) << ran.error();
    values[static_cast<size_t>(node.outputs[0])] = ran.outputs[0];
  }
  for (size_t i = 0; i < 2; ++i) {
    const Tensor& want = values[static_cast<size_t>(network->outputs[i].value)];
    EXPECT_EQ((*got)[i].shape(), want.shape());
    EXPECT_TRUE(std::ranges::equal((*got)[i].bytes(), want.bytes())) << i;
  }
  // Kept weights serve the second run.
  const Result<std::vector<Tensor>> again = runner.run(std::span(&x, 1));
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(std::ranges::equal((*again)[0].bytes(), (*got)[0].bytes()));
}

TEST(Layouts, AConstantThatIsOnlyReadTurnedKeepsItsName) {
  Rng rng(5);
  auto network = std::make_shared<Network>();
  network->values = {"x", "w", "a", "y"};
  network->constants[1] = normal_floats(rng, {3, 3, 1, 1});
  network->nodes = {{Conv{}, "first", {0, 1}, {2}}, {Conv{}, "second", {2, 1}, {3}}};
  network->inputs = {{0, DType::f32, false, {}}};
  network->outputs = {{3, DType::f32, false, {}}};
  ASSERT_TRUE(finish(*network).ok());
  Network planned = *plan_layouts(network);
  ASSERT_EQ(planned.constants.size(), 1u);  // once, though two nodes read it
  EXPECT_EQ(planned.name_of(planned.constants.begin()->first), "w");
  const Status unique = finish(planned);
  EXPECT_TRUE(unique.ok()) << unique.message();
}

}  // namespace
}  // namespace halftone::network
