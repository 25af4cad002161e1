// SPDX-License-Identifier: Apache-2.0
#include "graph/network/network.h"

#include <gtest/gtest.h>

namespace halftone::network {
namespace {

Network with(std::vector<Node> nodes) {
  Network network;
  network.values = {"x", "a", "b", "y"};
  network.inputs.push_back({0, DType::f32, false, {}});
  network.outputs.push_back({3, DType::f32, false, {}});
  network.nodes = std::move(nodes);
  return network;
}

std::string finish_error(std::vector<Node> nodes) {
  Network network = with(std::move(nodes));
  return std::string(finish(network).message());
}

TEST(Network, NodesAreOrderedAndTheFilesOrderIsKept) {
  Network network = with({{Unary{UnaryKind::relu}, "last", {2}, {3}},
                          {Unary{UnaryKind::abs}, "first", {0}, {1}},
                          {Unary{UnaryKind::exp}, "second", {1}, {2}}});
  ASSERT_TRUE(finish(network).ok());
  EXPECT_EQ(dump(network), "a = abs(x)\nb = exp(a)\ny = relu(b)\n");
}

TEST(Network, ADumpCanShowMembers) {
  Network network =
      with({{Unary{UnaryKind::elu, 0.5F}, "n", {0}, {1}}, {Softmax{SoftmaxKind::log, -1}, "m", {1}, {3}}});
  ASSERT_TRUE(finish(network).ok());
  EXPECT_EQ(dump(network, true), "a = elu(x) {\"alpha\":0.5}\ny = softmax(a) {\"kind\":\"log\",\"axis\":-1}\n");
}

TEST(Network, WhatIsWrongNamesTheNode) {
  const Unary relu{UnaryKind::relu};
  EXPECT_EQ(finish_error({{relu, "n", {1}, {3}}}), "[network] n: reads a, which no node, input or constant writes");
  EXPECT_EQ(finish_error({{relu, "n", {7}, {3}}}), "[network] n: expected a value of the network, got number 7 of 4");
  EXPECT_EQ(finish_error({{relu, "n", {0}, {3}}, {relu, "m", {0}, {3}}}),
            "[network] m: value y is written twice; every value has one writer");
  EXPECT_EQ(finish_error({{Binary{BinaryKind::add}, "n", {0, 2}, {1}}, {relu, "m", {1}, {2}}, {relu, "o", {1}, {3}}}),
            "[network] n: expected nodes in which none waits for itself, got a cycle through this one");
  EXPECT_EQ(finish_error({{relu, "n", {0}, {1}}}),
            "[network] outputs: reads y, which no node, input or constant writes");
  EXPECT_EQ(finish_error({{Binary{BinaryKind::add}, "n", {0}, {3}}}),
            "[network] n (add): expected at least 2 inputs, got none as input 1");
  EXPECT_EQ(finish_error({{Where{}, "n", {0, kNoValue, 0}, {3}}}),
            "[network] n (where): expected at least 3 inputs, got none as input 1");
  EXPECT_EQ(finish_error({{relu, "n", {0}, {}}, {relu, "m", {0}, {3}}}),
            "[network] n (relu): expected an output, got none");
}

}  // namespace
}  // namespace halftone::network
