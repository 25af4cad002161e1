// SPDX-License-Identifier: Apache-2.0
#include "formats/onnx/onnx.h"

#include <gtest/gtest.h>

#include "formats/onnx/test_model.h"

namespace halftone::onnx {
namespace {

std::string error_of(const std::string& bytes) {
  const auto network = import_bytes(bytes);
  return network.ok() ? "no error" : std::string(network.status().message());
}

TestGraph small_graph() {
  return graph_of(
      {node("MatMul", {"x", "w"}, {"p"}), node("Add", {"p", "b"}, {"s"}, {}, "", "bias"), node("Relu", {"s"}, {"y"})},
      {floats("w", {3, 2}, {1, 2, 3, 4, 5, 6}), floats("b", {2}, {7, 8})});
}

TEST(Onnx, ASmallModelBecomesANetwork) {
  TestGraph graph = small_graph();
  graph.inputs = {value("x", 1, {{0, "batch"}, {3, ""}})};
  const auto network = import_bytes(model(graph));
  ASSERT_TRUE(network.ok()) << network.status().message();
  EXPECT_EQ(dump(*network), "p = matmul(x, w)\ns = add(p, b)\ny = relu(s)\n");
  ASSERT_EQ(network->inputs.size(), 1u);
  EXPECT_EQ(network->inputs[0].shape[0].symbol, "batch");
  EXPECT_EQ(network->inputs[0].shape[1].size, 3);
  EXPECT_EQ(network->nodes[1].name, "bias");
  const Tensor& weight = network->constants.at(network->nodes[0].inputs[1]);
  EXPECT_EQ(weight.shape(), (Shape{3, 2}));
  EXPECT_EQ(weight.values<float>()[5], 6);
}

TEST(Onnx, FilesAreMapped) {
  const TempFolder folder;
  write_text(folder / "m.onnx", model(small_graph()));
  const auto network = import_model(folder / "m.onnx");
  ASSERT_TRUE(network.ok()) << network.status().message();
  EXPECT_EQ(network->nodes.size(), 3u);
  EXPECT_TRUE(contains(import_model(folder / "none.onnx").status().message(), "none.onnx"));
}

TEST(Onnx, EverythingThatIsMissingIsNamedAtOnce) {
  const std::string bytes =
      model(graph_of({node("Warp", {"x"}, {"a"}, {}, "", "first"), node("Warp", {"a"}, {"b"}),
                      node("Fold", {"b"}, {"c"}, {}, "far"), node("Relu", {"c"}, {"d"}, {attribute_of("slope", 1.0F)}),
                      node("Cast", {"d"}, {"y"}, {attribute_of("to", int64_t{8})})}));
  EXPECT_EQ(error_of(bytes),
            "[onnx] m.onnx: the model needs what halftone does not have:\n"
            "  Cast with values of type string: 1 time, first at Cast:y\n"
            "  Relu with attribute slope: 1 time, first at Relu:d\n"
            "  Warp: 2 times, first at first\n"
            "  far.Fold: 1 time, first at Fold:c\n"
            "write these with other operators when exporting (at opset 7 to 27), or ask for them: docs/models.md lists "
            "what there is");
  EXPECT_EQ(import_bytes(bytes).status().code(), StatusCode::unsupported);
}

TEST(Onnx, OpsetsOutsideOfTheRangeAreNamed) {
  EXPECT_TRUE(contains(error_of(model(small_graph(), 28)), "opset 28 (expected 7 to 27)"));
  EXPECT_TRUE(contains(error_of(model(small_graph(), 6)), "opset 6 (expected 7 to 27)"));
}

TEST(Onnx, WrongGraphsAreRefused) {
  EXPECT_EQ(error_of(model(graph_of({node("Relu", {"z"}, {"y"}, {}, "", "r")}))),
            "[onnx] m.onnx: node r (Relu) reads z, which no node, input or initializer writes");
  EXPECT_TRUE(contains(error_of(model(graph_of(
                           {node("Add", {"x", "b"}, {"a"}), node("Relu", {"a"}, {"b"}), node("Relu", {"b"}, {"y"})}))),
                       "a cycle through this one"));
  EXPECT_TRUE(contains(error_of(model(graph_of({node("Relu", {"x"}, {"y"}), node("Abs", {"x"}, {"y"})}))),
                       "value y is written twice"));
  EXPECT_TRUE(contains(error_of(model(graph_of({node("Relu", {"x"}, {"z"})}))), "output y is written by no node"));
  EXPECT_TRUE(contains(error_of(""), "expected a graph, got none"));
  EXPECT_EQ(error_of(model(graph_of({node("Elu", {"x"}, {"y"}, {attribute_of("alpha", "big")}, "", "e")}))),
            "[onnx] m.onnx: node e (Elu): attribute alpha: expected a number, got a text");
}

TEST(Onnx, NodesNeedNotBeInOrder) {
  EXPECT_EQ(dump_of(model(graph_of({node("Relu", {"a"}, {"y"}), node("Abs", {"x"}, {"a"})}))),
            "a = abs(x)\ny = relu(a)\n");
}

TEST(Onnx, TruncatedFilesAreRefusedEverywhere) {
  const std::string whole = model(small_graph());
  size_t refused = 0;
  for (size_t length = 0; length < whole.size(); ++length) {
    const auto network = import_bytes(whole.substr(0, length));
    refused += network.ok() ? 0 : 1;
    const std::string message(network.status().message());
    EXPECT_TRUE(network.ok() || contains(message, "m.onnx")) << message;
  }
  EXPECT_GT(refused, whole.size() * 8 / 10);
}

TEST(Onnx, DeepNestingIsRefused) {
  Message inner = TestGraph().message();
  for (int i = 0; i < 40; ++i) {
    TestGraph graph;
    graph.nodes = {node("If", {"x"}, {"y"}, {attribute_of("then_branch", 5, inner)})};
    inner = graph.message();
  }
  EXPECT_TRUE(contains(error_of(Message().message(7, inner).bytes()), "nested at most"));
}

TEST(Onnx, FunctionsArePutInTheirPlaces) {
  // twice(a, b, gain): b may be left out by the body's If-less sum; gain names the attribute of a node inside.
  Message scaled = node("LeakyRelu", {"a"}, {"r"}, {Message().text(1, "alpha").integer(20, 1).text(21, "gain")});
  const Message function = Message()
                               .text(1, "twice")
                               .text(4, "a")
                               .text(4, "b")
                               .text(5, "r")
                               .text(6, "gain")
                               .message(7, scaled)
                               .message(9, opset("", 17))
                               .text(10, "local");
  const std::string bytes =
      model(graph_of({node("twice", {"x", "x"}, {"m"}, {attribute_of("gain", 0.25F)}, "local", "f"),
                      node("twice", {"m"}, {"y"}, {}, "local", "g")}),
            17, {function});
  const auto network = import_bytes(bytes);
  ASSERT_TRUE(network.ok()) << network.status().message();
  std::vector<float> alphas;
  for (const network::Node& each : network->nodes)
    if (const auto* unary = std::get_if<network::Unary>(&each.op)) alphas.push_back(unary->alpha);
  EXPECT_EQ(alphas, (std::vector<float>{0.25F, 0.01F}));  // the default where the call says nothing
  EXPECT_EQ(network->nodes[0].name, "f/LeakyRelu:r");
}

TEST(Onnx, AFunctionThatCallsItselfIsRefused) {
  const Message function = Message()
                               .text(1, "loop")
                               .text(4, "a")
                               .text(5, "r")
                               .message(7, node("loop", {"a"}, {"r"}, {}, "local"))
                               .message(9, opset("", 17))
                               .text(10, "local");
  EXPECT_TRUE(contains(error_of(model(graph_of({node("loop", {"x"}, {"y"}, {}, "local")}), 17, {function})),
                       "does loop call itself?"));
}

TEST(Onnx, AKnownConditionChoosesItsBranch) {
  TestGraph one, other;
  one.nodes = {node("Abs", {"x"}, {"t"})};
  one.outputs = {value("t", 1, {})};
  other.nodes = {node("Neg", {"x"}, {"t"})};
  other.outputs = {value("t", 1, {})};
  const std::vector<Message> branches = {attribute_of("then_branch", 5, one.message()),
                                         attribute_of("else_branch", 5, other.message())};
  const auto with = [&](std::string_view condition) {
    return dump_of(model(
        graph_of({node("If", {"c"}, {"y"}, branches, "", "i")}, {tensor_message("c", 9, {}).text(9, condition)})));
  };
  using namespace std::string_view_literals;
  EXPECT_EQ(with("\1"sv), "i/t = abs(x)\ny = identity(i/t)\n");
  EXPECT_EQ(with("\0"sv), "i/t = negate(x)\ny = identity(i/t)\n");
  EXPECT_TRUE(contains(error_of(model(graph_of({node("Cast", {"x"}, {"c"}, {attribute_of("to", int64_t{9})}),
                                                node("If", {"c"}, {"y"}, branches)}))),
                       "If with a condition that is known only when it runs: 1 time"));
}

TEST(Onnx, AttributesOfOldOpsetsBecomeInputs) {
  const auto network =
      import_bytes(model(graph_of({node("Clip", {"x"}, {"a"}, {attribute_of("max", 6.0F)}),
                                   node("Squeeze", {"a"}, {"y"}, {attribute_of("axes", std::vector<int64_t>{1})})}),
                         10));
  ASSERT_TRUE(network.ok()) << network.status().message();
  const auto& clip = network->nodes[0].inputs;
  EXPECT_EQ(clip[1], network::kNoValue);
  EXPECT_EQ(network->constants.at(clip[2]).values<float>()[0], 6);
  EXPECT_EQ(network->constants.at(network->nodes[1].inputs[1]).values<int64_t>()[0], 1);
}

// What an operator of exporters becomes, y being its last op.
std::string fused(std::string_view type, const Names& inputs, const std::vector<Message>& attributes) {
  TestGraph graph = graph_of({node(type, inputs, {"y"}, attributes, "com.microsoft", "n")});
  graph.inputs.clear();
  for (const std::string& input : inputs)
    if (!input.empty()) graph.inputs.push_back(value(input, 1, {}));
  const auto network = import_bytes(model(graph));
  return network.ok() ? dump(*network, true) : std::string(network.status().message());
}

TEST(Onnx, FusedOperatorsBecomeTheirParts) {
  EXPECT_EQ(fused("BiasGelu", {"x", "b"}, {}), "n = add(x, b)\ny = gelu(n)\n");
  EXPECT_EQ(fused("FastGelu", {"x"}, {}), "y = gelu_tanh(x)\n");
  EXPECT_EQ(fused("SkipLayerNormalization", {"x", "s", "g", "b"}, {attribute_of("epsilon", 0.5F)}),
            "n = add(x, s)\ny = layer_norm(n, g, b) {\"axis\":-1,\"epsilon\":0.5}\n");
  EXPECT_EQ(fused("SkipSimplifiedLayerNormalization", {"x", "s", "g"}, {attribute_of("epsilon", 0.5F)}),
            "n = add(x, s)\ny = rms_norm(n, g) {\"axis\":-1,\"epsilon\":0.5}\n");
  EXPECT_EQ(fused("FusedMatMul", {"a", "b"}, {attribute_of("transB", int64_t{1})}),
            "y = matmul(a, b) {\"transpose_b\":true}\n");
  const std::vector<Message> heads = {attribute_of("num_heads", int64_t{2})};
  EXPECT_EQ(fused("MultiHeadAttention", {"q", "k", "v", "", "m"}, heads),
            "n = transpose(m) {\"order\":[0,1]}\nn/1 = cast(n) {\"to\":\"boolean\"}\nn/3 = unsqueeze(n/1, n/2)\n"
            "y = attention(q, k, v, n/3, _, _) {\"heads\":2,\"kv_heads\":2}\n");
  EXPECT_EQ(fused("Attention", {"x", "w", "b"}, heads),
            "n = matmul(x, w)\nn/1 = add(n, b)\nq, k, v = split(n/1) {\"axis\":-1}\n"
            "y = attention(q, k, v, _) {\"heads\":2,\"kv_heads\":2}\n");
  EXPECT_TRUE(contains(fused("MultiHeadAttention", {"q", "k", "v", "", "m", "bias"}, heads),
                       "com.microsoft.MultiHeadAttention with both a mask and a bias of scores: 1 time"));
  EXPECT_EQ(fused("QLinearAdd", {"a", "as", "az", "b", "bs", "bz", "ys", "yz"}, {}),
            "n = dequantize(a, as, az)\nn/1 = dequantize(b, bs, bz)\nn/2 = add(n, n/1)\n"
            "y = quantize(n/2, ys, yz) {\"to\":\"f32\"}\n");
}

TEST(Onnx, PackedCodesOfMatMulNBitsAreUnpacked) {
  // Two rows of five 4-bit codes in blocks of 4: each row is two blocks of two bytes.
  const std::string codes = "\x21\x43\x05\xff\x98\xba\x0c\xff";
  const auto network =
      import_bytes(model(graph_of({node("MatMulNBits", {"x", "q", "s"}, {"y"},
                                        {attribute_of("K", int64_t{5}), attribute_of("N", int64_t{2}),
                                         attribute_of("bits", int64_t{4}), attribute_of("block_size", int64_t{4})},
                                        "com.microsoft")},
                                  {tensor_message("q", 2, {2, 2, 2}).text(9, codes), floats("s", {4}, {1, 2, 3, 4})})));
  ASSERT_TRUE(network.ok()) << network.status().message();
  std::vector<Tensor> of_bytes;
  for (const auto& [id, tensor] : network->constants)
    if (tensor.type() == DType::u8 && tensor.rank() == 2) of_bytes.push_back(tensor);
  ASSERT_EQ(of_bytes.size(), 2u);
  const auto unpacked = of_bytes[0].values<uint8_t>();
  EXPECT_EQ((std::vector<uint8_t>(unpacked.begin(), unpacked.end())),
            (std::vector<uint8_t>{1, 2, 3, 4, 5, 8, 9, 10, 11, 12}));
  const auto zeros = of_bytes[1].values<uint8_t>();
  EXPECT_EQ((std::vector<uint8_t>(zeros.begin(), zeros.end())), (std::vector<uint8_t>{8, 8, 8, 8}));
}

}  // namespace
}  // namespace halftone::onnx
