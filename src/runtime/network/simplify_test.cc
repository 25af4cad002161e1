// SPDX-License-Identifier: Apache-2.0
// Every pass: a network computes the same before and after, and the pass did what it is for.
#include "graph/network/passes/simplify.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "runtime/network/runner.h"

namespace halftone::network {
namespace {

// Builds a network line by line.
struct Builder {
  Network network;
  std::mt19937 random{7};

  ValueId value() {
    network.values.push_back("v" + std::to_string(network.values.size()));
    return static_cast<ValueId>(network.values.size()) - 1;
  }
  ValueId input() {
    const ValueId id = value();
    network.inputs.push_back({id, DType::f32, false, {}});
    return id;
  }
  ValueId floats(Shape shape, std::vector<float> numbers) {
    const ValueId id = value();
    network.constants.emplace(id, Tensor::of<float>(DType::f32, std::move(shape), std::span<const float>(numbers)));
    return id;
  }
  ValueId scalar(double number) { return floats({}, {static_cast<float>(number)}); }
  ValueId axes(std::vector<int64_t> numbers) {
    const ValueId id = value();
    network.constants.emplace(
        id, Tensor::of<int64_t>(DType::i64, {static_cast<int64_t>(numbers.size())}, std::span<const int64_t>(numbers)));
    return id;
  }
  std::vector<float> numbers(const Shape& shape, float least = -1) {
    std::vector<float> made(static_cast<size_t>(elements_of(shape)));
    for (float& number : made) number = std::uniform_real_distribution<float>(least, 2)(random);
    return made;
  }
  ValueId weights(const Shape& shape, float least = -1) { return floats(shape, numbers(shape, least)); }
  ValueId node(Op op, std::vector<ValueId> inputs) {
    const ValueId output = value();
    network.nodes.push_back({std::move(op), "n" + std::to_string(network.nodes.size()), std::move(inputs), {output}});
    return output;
  }
  ValueId add(ValueId a, ValueId b) { return node(Binary{BinaryKind::add}, {a, b}); }
  ValueId multiply(ValueId a, ValueId b) { return node(Binary{BinaryKind::multiply}, {a, b}); }
  ValueId divide(ValueId a, ValueId b) { return node(Binary{BinaryKind::divide}, {a, b}); }
  ValueId unary(UnaryKind kind, ValueId x) { return node(Unary{kind}, {x}); }
  ValueId mean(ValueId x) { return node(Reduce{ReduceKind::mean}, {x, axes({-1})}); }
};

// Ends the network in `y`, simplifies it, and compares what both give for random inputs of these shapes.
// (By reference: compilers differ in whether a copy would be made before `y` is.)
std::string simplified(const Builder& begun, ValueId y, const std::vector<Shape>& shapes, Simplified& made) {
  Builder builder = begun;
  builder.network.outputs.push_back({y, DType::f32, false, {}});
  EXPECT_TRUE(finish(builder.network).ok());
  Network after = builder.network;
  const auto result = simplify(after);
  EXPECT_TRUE(result.ok()) << result.status().message();
  if (!result.ok()) return "";
  made = *result;
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) {
    const std::vector<float> numbers = builder.numbers(shape);
    inputs.push_back(Tensor::of<float>(DType::f32, shape, std::span<const float>(numbers)));
  }
  ThreadPool pool(1);
  const auto a = Runner(std::make_shared<const Network>(builder.network), pool).run(inputs);
  const auto b = Runner(std::make_shared<const Network>(after), pool).run(inputs);
  EXPECT_TRUE(a.ok()) << a.status().message();
  EXPECT_TRUE(b.ok()) << b.status().message() << dump(after);
  if (!a.ok() || !b.ok()) return "";
  EXPECT_EQ((*a)[0].shape(), (*b)[0].shape());
  const auto expected = (*a)[0].values<float>(), got = (*b)[0].values<float>();
  for (size_t i = 0; i < expected.size() && i < got.size(); ++i)
    EXPECT_NEAR(expected[i], got[i], 2e-5 * (1 + std::abs(expected[i]))) << "element " << i;
  std::string ops;
  for (const Node& node : after.nodes) ops += (ops.empty() ? "" : " ") + std::string(name_of(node.op));
  return ops;
}

TEST(Simplify, IdentitiesGo) {
  Builder b;
  const ValueId x = b.input();
  const ValueId y = b.node(Identity{}, {b.unary(UnaryKind::relu, b.node(Identity{}, {x}))});
  Simplified made;
  EXPECT_EQ(simplified(b, y, {{2, 3}}, made), "relu");
  EXPECT_EQ(made.identities, 2);
}

TEST(Simplify, AnOutputThatIsAnInputStays) {
  Builder b;
  Simplified made;
  EXPECT_EQ(simplified(b, b.node(Identity{}, {b.input()}), {{2, 3}}, made), "identity");
}

TEST(Simplify, GeluOfErfInItsForms) {
  for (const int form : {0, 1, 2}) {
    Builder b;
    const ValueId x = b.input();
    const ValueId inner = form == 0 ? b.divide(x, b.scalar(std::sqrt(2.0))) : b.multiply(b.scalar(std::sqrt(0.5)), x);
    const ValueId sum = b.add(b.unary(UnaryKind::erf, inner), b.scalar(1));
    const ValueId y = form == 0   ? b.multiply(b.multiply(x, sum), b.scalar(0.5))
                      : form == 1 ? b.multiply(x, b.multiply(b.scalar(0.5), sum))
                                  : b.multiply(b.multiply(b.scalar(0.5), x), sum);
    Simplified made;
    EXPECT_EQ(simplified(b, y, {{2, 3}}, made), "gelu") << form;
    EXPECT_EQ(made.activations, 1);
  }
}

TEST(Simplify, GeluOfTanhWithPowerOrProducts) {
  for (const bool power : {true, false}) {
    Builder b;
    const ValueId x = b.input();
    const ValueId cube = power ? b.node(Binary{BinaryKind::power}, {x, b.scalar(3)}) : b.multiply(b.multiply(x, x), x);
    const ValueId argument = b.multiply(b.add(x, b.multiply(cube, b.scalar(0.044715))), b.scalar(0.7978845608));
    const ValueId sum = b.add(b.scalar(1), b.unary(UnaryKind::tanh, argument));
    Simplified made;
    EXPECT_EQ(simplified(b, b.multiply(b.multiply(b.scalar(0.5), x), sum), {{2, 3}}, made), "gelu_tanh");
  }
}

TEST(Simplify, SigmoidGates) {
  Builder b;
  const ValueId x = b.input(), g = b.input();
  const ValueId silu = b.multiply(x, b.unary(UnaryKind::sigmoid, x));
  const ValueId quick = b.multiply(b.unary(UnaryKind::sigmoid, b.multiply(g, b.scalar(1.702))), g);
  Simplified made;
  EXPECT_EQ(simplified(b, b.multiply(silu, quick), {{2, 3}, {2, 3}}, made), "swish swish multiply");
}

TEST(Simplify, HardSwishOfClips) {
  Builder b;
  const ValueId x = b.input();
  const ValueId clipped = b.node(Clip{}, {b.add(x, b.scalar(3)), b.scalar(0), b.scalar(6)});
  Simplified made;
  EXPECT_EQ(simplified(b, b.divide(b.multiply(x, clipped), b.scalar(6)), {{4, 5}}, made), "hard_swish");
}

TEST(Simplify, AProductThatIsAlmostAGeluStays) {
  Builder b;
  const ValueId x = b.input();
  const ValueId sum = b.add(b.unary(UnaryKind::erf, b.multiply(x, b.scalar(0.75))), b.scalar(1));
  Simplified made;
  simplified(b, b.multiply(b.multiply(x, sum), b.scalar(0.5)), {{2, 3}}, made);
  EXPECT_EQ(made.activations, 0);
}

TEST(Simplify, LayerNormInItsForms) {
  for (const int form : {0, 1, 2}) {
    Builder b;
    const ValueId x = b.input();
    const ValueId d = b.node(Binary{BinaryKind::subtract}, {x, b.mean(x)});
    const ValueId squares = form == 0 ? b.node(Binary{BinaryKind::power}, {d, b.scalar(2)}) : b.multiply(d, d);
    const ValueId sum = b.add(b.mean(squares), b.scalar(1e-5));
    const ValueId norm = form == 2 ? b.multiply(d, b.unary(UnaryKind::reciprocal, b.unary(UnaryKind::sqrt, sum)))
                                   : b.divide(d, b.unary(UnaryKind::sqrt, sum));
    const ValueId y = b.add(b.multiply(norm, b.weights({6})), b.weights({6}));
    Simplified made;
    EXPECT_EQ(simplified(b, y, {{3, 6}}, made), "layer_norm") << form;
    EXPECT_EQ(made.norms, 3);
  }
}

TEST(Simplify, RmsNorm) {
  Builder b;
  const ValueId x = b.input();
  const ValueId root = b.unary(UnaryKind::rsqrt, b.add(b.mean(b.unary(UnaryKind::square, x)), b.scalar(1e-6)));
  Simplified made;
  EXPECT_EQ(simplified(b, b.multiply(b.weights({6}), b.multiply(x, root)), {{3, 6}}, made), "rms_norm");
}

TEST(Simplify, AMeanOverAnotherAxisIsNoLayerNorm) {
  Builder b;
  const ValueId x = b.input();
  const auto first = [&](ValueId v) { return b.node(Reduce{ReduceKind::mean}, {v, b.axes({0})}); };
  const ValueId d = b.node(Binary{BinaryKind::subtract}, {x, first(x)});
  const ValueId y = b.divide(d, b.unary(UnaryKind::sqrt, b.add(first(b.multiply(d, d)), b.scalar(1e-5))));
  Simplified made;
  simplified(b, y, {{3, 6}}, made);
  EXPECT_EQ(made.norms, 0);
}

TEST(Simplify, AttentionWithKeysTransposedOnceOrTwice) {
  for (const bool once : {true, false}) {
    Builder b;
    const ValueId q = b.input(), k = b.input(), v = b.input(), mask = b.input();
    const ValueId keys =
        b.node(Transpose{once ? std::vector<int64_t>{0, 2, 3, 1} : std::vector<int64_t>{0, 1, 3, 2}}, {k});
    const ValueId scores = b.divide(b.node(MatMul{}, {q, keys}), b.scalar(2));
    const ValueId weights = b.node(Softmax{SoftmaxKind::soft, -1}, {b.add(scores, mask)});
    Simplified made;
    const Shape key_shape = once ? Shape{2, 5, 3, 4} : Shape{2, 3, 5, 4};
    EXPECT_EQ(simplified(b, b.node(MatMul{}, {weights, v}), {{2, 3, 6, 4}, key_shape, {2, 3, 5, 7}, {6, 5}}, made),
              once ? "transpose attention" : "attention");
    EXPECT_EQ(made.attentions, 1);
  }
}

TEST(Simplify, BatchNormBehindConvAndGemm) {
  for (const int form : {0, 1, 2}) {
    Builder b;
    const ValueId x = b.input();
    ValueId y = kNoValue;
    if (form == 0) {
      Conv conv;
      conv.groups = 2;
      y = b.node(conv, {x, b.weights({4, 1, 3, 3})});
    } else {
      Gemm gemm;
      gemm.transpose_b = form == 2;
      y = b.node(gemm, {x, b.weights(form == 2 ? Shape{4, 6} : Shape{6, 4}), b.weights({4})});
    }
    y = b.node(BatchNorm{1e-3F}, {y, b.weights({4}), b.weights({4}), b.weights({4}), b.weights({4}, 0.5F)});
    Simplified made;
    const Shape shape = form == 0 ? Shape{1, 2, 5, 5} : Shape{3, 6};
    EXPECT_EQ(simplified(b, b.unary(UnaryKind::relu, y), {shape}, made), form == 0 ? "conv relu" : "gemm relu") << form;
    EXPECT_EQ(made.folded, 1);
  }
}

}  // namespace
}  // namespace halftone::network
