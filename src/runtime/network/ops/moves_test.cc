// SPDX-License-Identifier: Apache-2.0
// Shapes, indices, images and transformers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/network/ops/op_problem.h"

namespace halftone::network {
namespace {

Tensor counting(Shape shape) {
  Floats values(static_cast<size_t>(elements_of(shape)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return floats(std::move(shape), values);
}

TEST(Moves, ReshapeInfersAndRefuses) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(compute(Reshape{}, {x, longs({0, -1, 1})}).shape(), (Shape{2, 3, 1}));
  EXPECT_FALSE(compute(Reshape{}, {x, longs({-1, -1})}).status.ok());
  EXPECT_FALSE(compute(Reshape{}, {x, longs({4, -1})}).status.ok());
  EXPECT_FALSE(compute(Reshape{}, {x, longs({INT64_MAX, INT64_MAX})}).status.ok());
  EXPECT_FALSE(compute(Reshape{true}, {x, longs({0, -1})}).status.ok());
}

TEST(Moves, AxesMoveAndLeave) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(compute(Transpose{}, {x}).numbers(), (Floats{0, 3, 1, 4, 2, 5}));
  EXPECT_FALSE(compute(Transpose{{0, 0}}, {x}).status.ok());
  // Against the definition, in every order of four axes.
  const Shape shape = {2, 3, 35, 4};
  const Tensor image = counting(shape);
  std::vector<int64_t> order = {0, 1, 2, 3};
  do {
    const Floats turned = compute(Transpose{order}, {image}).numbers();
    for (size_t i = 0; i < turned.size(); ++i) {
      int64_t rest = static_cast<int64_t>(i), at[4] = {};
      for (size_t axis = 4; axis-- > 0;) {
        at[order[axis]] = rest % shape[static_cast<size_t>(order[axis])];
        rest /= shape[static_cast<size_t>(order[axis])];
      }
      ASSERT_EQ(turned[i], static_cast<float>(((at[0] * 3 + at[1]) * 35 + at[2]) * 4 + at[3])) << text_of(order);
    }
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(compute(Unsqueeze{}, {x, longs({0, -1})}).shape(), (Shape{1, 2, 3, 1}));
  EXPECT_FALSE(compute(Squeeze{}, {x, longs({0})}).status.ok());
  EXPECT_EQ(compute(Flatten{2}, {x}).shape(), (Shape{6, 1}));
}

TEST(Moves, SlicesGoBackwardsAndClamp) {
  const Tensor x = counting({5});
  EXPECT_EQ(compute(Slice{}, {x, longs({-1}), longs({INT64_MIN}), longs({0}), longs({-2})}).numbers(),
            (Floats{4, 2, 0}));
  EXPECT_EQ(compute(Slice{}, {x, longs({3}), longs({INT64_MAX})}).numbers(), (Floats{3, 4}));
  EXPECT_EQ(compute(Slice{}, {x, longs({4}), longs({2})}).shape(), (Shape{0}));
  EXPECT_FALSE(compute(Slice{}, {x, longs({0}), longs({1}), longs({0}), longs({0})}).status.ok());
}

TEST(Moves, PadsOfEveryMode) {
  const Tensor x = counting({3});
  const Tensor pads = longs({2, 1});
  EXPECT_EQ(compute(Pad{}, {x, pads, floats({}, {9})}).numbers(), (Floats{9, 9, 0, 1, 2, 9}));
  EXPECT_EQ(compute(Pad{PadMode::reflect}, {x, pads}).numbers(), (Floats{2, 1, 0, 1, 2, 1}));
  EXPECT_EQ(compute(Pad{PadMode::edge}, {x, pads}).numbers(), (Floats{0, 0, 0, 1, 2, 2}));
  EXPECT_EQ(compute(Pad{PadMode::wrap}, {x, pads}).numbers(), (Floats{1, 2, 0, 1, 2, 0}));
  EXPECT_EQ(compute(Pad{}, {x, longs({-1, -1})}).numbers(), (Floats{1}));
  EXPECT_FALSE(compute(Pad{}, {x, longs({-2, -2})}).status.ok());
  EXPECT_FALSE(compute(Pad{}, {x, longs({INT64_MAX, 1})}).status.ok());
}

TEST(Moves, ConcatSplitTileExpand) {
  const Tensor x = counting({2, 2});
  EXPECT_EQ(compute(Concat{1}, {x, counting({2, 1})}).numbers(), (Floats{0, 1, 0, 2, 3, 1}));
  EXPECT_FALSE(compute(Concat{0}, {x, counting({2, 1})}).status.ok());
  const Ran parts = compute(Split{0}, {counting({3}), longs({1, 2})}, 2);
  EXPECT_EQ(parts.values<float>(1), (Floats{1, 2}));
  EXPECT_FALSE(compute(Split{0}, {counting({3}), longs({1, 1})}, 2).status.ok());
  EXPECT_EQ(compute(Tile{}, {counting({1, 2}), longs({2, 2})}).numbers(), (Floats{0, 1, 0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(compute(Expand{}, {counting({2, 1}), longs({2})}).numbers(), (Floats{0, 0, 1, 1}));
  EXPECT_FALSE(compute(Expand{}, {counting({2}), longs({int64_t{1} << 40, 2})}).status.ok());  // too large
}

TEST(Moves, BlocksOfSpaceAndDepth) {
  const Tensor x = counting({1, 4, 1, 1});
  const Tensor wide = compute(DepthToSpace{2}, {x}).outputs[0];
  EXPECT_EQ(wide.shape(), (Shape{1, 1, 2, 2}));
  EXPECT_EQ(compute(SpaceToDepth{2}, {wide}).numbers(), (Floats{0, 1, 2, 3}));
}

TEST(Indices, GatherAndScatterCheckEveryIndex) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(compute(Gather{1}, {x, longs({-1, 0})}).numbers(), (Floats{2, 0, 5, 3}));
  EXPECT_NE(compute(Gather{1}, {x, longs({3})}).error().find("got 3"), std::string::npos);
  EXPECT_EQ(compute(GatherElements{0}, {x, longs({1, 3}, {1, 0, 1})}).numbers(), (Floats{3, 1, 5}));
  EXPECT_EQ(compute(GatherNd{}, {x, longs({1, 2}, {1, -1})}).numbers(), (Floats{5}));
  EXPECT_FALSE(compute(GatherNd{}, {x, longs({1, 3}, {0, 0, 0})}).status.ok());
  EXPECT_EQ(compute(ScatterElements{1, ScatterReduction::add}, {x, longs({1, 2}, {0, 0}), floats({1, 2}, {10, 20})})
                .numbers(),
            (Floats{30, 1, 2, 3, 4, 5}));
  EXPECT_EQ(compute(ScatterNd{}, {x, longs({1, 1}, {1}), floats({1, 3}, {7, 8, 9})}).numbers(),
            (Floats{0, 1, 2, 7, 8, 9}));
  EXPECT_FALSE(compute(ScatterNd{}, {x, longs({1, 1}, {2}), floats({1, 3}, {7, 8, 9})}).status.ok());
}

TEST(Indices, MadeTensors) {
  EXPECT_EQ(compute(Range{}, {longs({}, {5}), longs({}, {0}), longs({}, {-2})}).values<int64_t>(), (Longs{5, 3, 1}));
  EXPECT_FALSE(compute(Range{}, {longs({}, {0}), longs({}, {5}), longs({}, {0})}).status.ok());
  EXPECT_FALSE(compute(Range{}, {longs({}, {INT64_MIN}), longs({}, {INT64_MAX}), longs({}, {1})}).status.ok());
  EXPECT_EQ(compute(OneHot{-1}, {longs({1, -1, 9}), longs({2}), floats({2}, {0, 1})}).numbers(),
            (Floats{0, 1, 0, 1, 0, 0}));
  EXPECT_EQ(compute(NonZero{}, {counting({2, 2})}).values<int64_t>(), (Longs{0, 1, 1, 1, 0, 1}));
  EXPECT_EQ(compute(ShapeOf{-1}, {counting({2, 3})}).values<int64_t>(), (Longs{3}));
  EXPECT_EQ(compute(Triangle{false}, {counting({2, 2})}).numbers(), (Floats{0, 0, 2, 3}));
  EXPECT_FALSE(compute(ConstantOfShape{}, {longs({int64_t{1} << 62}), floats({}, {0})}).status.ok());
}

TEST(Images, ResizeLinearAndNearest) {
  const Tensor x = floats({1, 1, 1, 2}, {0, 4});
  const Tensor scales = floats({4}, {1, 1, 1, 2});
  Resize linear;
  linear.mode = ResizeMode::linear;
  EXPECT_EQ(compute(linear, {x, {}, scales}).numbers(), (Floats{0, 1, 3, 4}));
  Resize nearest;
  nearest.mode = ResizeMode::nearest;
  nearest.coordinates = CoordinateMode::asymmetric;
  nearest.nearest = NearestMode::floor;
  EXPECT_EQ(compute(nearest, {x, {}, {}, longs({1, 1, 1, 4})}).numbers(), (Floats{0, 0, 4, 4}));
  EXPECT_FALSE(compute(nearest, {x}).status.ok());
  EXPECT_FALSE(compute(nearest, {x, {}, floats({4}, {1, 1, 1, NAN})}).status.ok());
  EXPECT_FALSE(compute(nearest, {x, {}, floats({4}, {1, 1, 1, 1e20F})}).status.ok());
}

TEST(Images, GridsAndRegions) {
  const Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  GridSample op{ResizeMode::linear, GridPadding::zeros, true};
  EXPECT_EQ(compute(op, {x, floats({1, 1, 2, 2}, {0, 0, 1, -1})}).numbers(), (Floats{2.5F, 2}));
  EXPECT_TRUE(compute(op, {x, floats({1, 1, 1, 2}, {NAN, INFINITY})}).status.ok());
  RoiAlign align;
  align.sampling = 1;
  EXPECT_EQ(compute(align, {x, floats({1, 4}, {0, 0, 2, 2}), longs({0})}).numbers(), (Floats{2.5F}));
  EXPECT_FALSE(compute(align, {x, floats({1, 4}, {0, 0, 2, 2}), longs({1})}).status.ok());
  EXPECT_FALSE(compute(align, {x, floats({1, 4}, {0, 0, NAN, 2}), longs({0})}).status.ok());
}

TEST(Images, OverlappingBoxesAreSuppressed) {
  const Tensor boxes = floats({1, 3, 4}, {0, 0, 1, 1, 0, 0.1F, 1, 1.1F, 5, 5, 6, 6});
  const Tensor scores = floats({1, 1, 3}, {0.5F, 0.9F, 0.8F});
  const Ran ran = compute(NonMaxSuppression{}, {boxes, scores, longs({3}), floats({1}, {0.5F})});
  EXPECT_EQ(ran.values<int64_t>(), (Longs{0, 0, 1, 0, 0, 2}));
}

TEST(Transformers, OneStepOfAnLstmByHand) {
  Recurrent op;
  op.kind = CellKind::lstm;
  op.hidden = 1;
  // Gates i, o, f, c read x times 1, 2, 3, 4.
  const Ran ran =
      compute(op, {floats({1, 1, 1}, {0.5F}), floats({1, 4, 1}, {1, 2, 3, 4}), floats({1, 4, 1}, {0, 0, 0, 0})}, 3);
  ASSERT_TRUE(ran.status.ok()) << ran.error();
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  const double cell = sigmoid(0.5) * std::tanh(2.0), hidden = sigmoid(1.0) * std::tanh(cell);
  EXPECT_NEAR(static_cast<double>(ran.numbers()[0]), hidden, 1e-6);
  EXPECT_NEAR(static_cast<double>(ran.values<float>(2)[0]), cell, 1e-6);
  EXPECT_FALSE(
      compute(op, {floats({1, 1, 1}, {0.5F}), floats({1, 3, 1}, {1, 2, 3}), floats({1, 4, 1}, {0, 0, 0, 0})}, 3)
          .status.ok());
}

TEST(Transformers, AttentionIsCausalWhenAsked) {
  const Tensor q = floats({1, 1, 2, 1}, {1, 1}), k = floats({1, 1, 2, 1}, {0, std::log(3.0F)}),
               v = floats({1, 1, 2, 1}, {4, 8});
  Attention op;
  op.scale = 1;
  const Floats all = compute(op, {q, k, v}).numbers();
  EXPECT_NEAR(static_cast<double>(all[0]), 7, 1e-5);
  op.causal = true;
  const Floats causal = compute(op, {q, k, v}).numbers();
  EXPECT_EQ(causal[0], 4);
  EXPECT_NEAR(static_cast<double>(causal[1]), 7, 1e-5);
  EXPECT_FALSE(compute(op, {q, floats({1, 1, 2, 2}, Floats(4)), v}).status.ok());
}

TEST(Transformers, EinsumSumsWhatTheOutputLacks) {
  const Tensor a = counting({2, 3}), b = counting({3, 2});
  EXPECT_EQ(compute(Einsum{"ij,jk->ik"}, {a, b}).numbers(), compute(MatMul{}, {a, b}).numbers());
  EXPECT_EQ(compute(Einsum{"ii->i"}, {counting({2, 2})}).numbers(), (Floats{0, 3}));
  EXPECT_EQ(compute(Einsum{"...j->..."}, {a}).numbers(), (Floats{3, 12}));
  EXPECT_FALSE(compute(Einsum{"ij,jk->iq"}, {a, b}).status.ok());
  EXPECT_FALSE(compute(Einsum{"ij->i"}, {a, b}).status.ok());
  EXPECT_FALSE(compute(Einsum{"ij,ij->i"}, {a, b}).status.ok());
}

TEST(Transformers, RotaryTurnsPairs) {
  const Ran ran = compute(RotaryEmbedding{},
                          {floats({1, 1, 1, 2}, {1, 2}), floats({1, 1}, {0}), floats({1, 1}, {1}), longs({1, 1}, {0})});
  EXPECT_EQ(ran.numbers(), (Floats{-2, 1}));
}

}  // namespace
}  // namespace halftone::network
