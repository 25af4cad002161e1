// SPDX-License-Identifier: Apache-2.0
// Products, reductions, normalisations and what looks along an axis.
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/network/ops/op_problem.h"

namespace halftone::network {
namespace {

TEST(Products, MatricesVectorsAndStacks) {
  const Tensor a = floats({2, 3}, {1, 2, 3, 4, 5, 6}), b = floats({3, 2}, {1, 0, 0, 1, 1, 1});
  EXPECT_EQ(compute(MatMul{}, {a, b}).numbers(), (Floats{4, 5, 10, 11}));
  EXPECT_EQ(compute(MatMul{false, true}, {a, a}).numbers(), (Floats{14, 32, 32, 77}));
  const Ran row = compute(MatMul{}, {floats({3}, {1, 1, 1}), b});
  EXPECT_EQ(row.shape(), (Shape{2}));
  EXPECT_EQ(row.numbers(), (Floats{2, 2}));
  const Ran stack = compute(MatMul{}, {floats({2, 1, 2}, {1, 2, 3, 4}), floats({2, 1}, {1, 10})});
  EXPECT_EQ(stack.shape(), (Shape{2, 1, 1}));
  EXPECT_EQ(stack.numbers(), (Floats{21, 43}));
  EXPECT_FALSE(compute(MatMul{}, {a, a}).status.ok());
}

TEST(Products, IntegersWrapAt32Bits) {
  const Tensor a = Tensor::of<int32_t>(DType::i32, {1, 2}, std::array{INT32_MAX, 2});
  const Tensor b = Tensor::of<int32_t>(DType::i32, {2, 1}, std::array{2, 3});
  EXPECT_EQ(compute(MatMul{}, {a, b}).values<int32_t>(), (std::vector<int32_t>{4}));
}

TEST(Products, GemmScalesAndAdds) {
  const Tensor a = floats({1, 2}, {1, 2}), b = floats({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(compute(Gemm{0.5F, 2, false, false}, {a, b, floats({2}, {1, 10})}).numbers(), (Floats{5.5F, 25}));
  EXPECT_NE(compute(Gemm{}, {a, b, floats({3}, {1, 2, 3})}).error().find("c:"), std::string::npos);
}

TEST(Products, IntegerMatricesHaveZeroPoints) {
  const Tensor a = Tensor::of<uint8_t>(DType::u8, {2, 2}, std::array<uint8_t, 4>{5, 6, 7, 8});
  const Tensor b = Tensor::of<int8_t>(DType::i8, {2, 1}, std::array<int8_t, 2>{-1, 2});
  const Tensor rows = Tensor::of<uint8_t>(DType::u8, {2}, std::array<uint8_t, 2>{5, 7});
  EXPECT_EQ(compute(IntegerMatMul{}, {a, b, rows}).values<int32_t>(), (std::vector<int32_t>{2, 2}));
}

TEST(Reduces, OverAnyAxes) {
  const Tensor x = floats({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(compute(Reduce{ReduceKind::sum, false}, {x, longs({0, -1})}).numbers(), (Floats{14, 22}));
  EXPECT_EQ(compute(Reduce{ReduceKind::max}, {x, longs({1})}).shape(), (Shape{2, 1, 2}));
  EXPECT_EQ(compute(Reduce{ReduceKind::mean}, {x}).numbers(), (Floats{4.5F}));
  EXPECT_EQ(compute(Reduce{ReduceKind::sum, true, true}, {x, longs({0}, {})}).numbers(),
            x.values<float>().size() == 8 ? Floats({1, 2, 3, 4, 5, 6, 7, 8}) : Floats());
  EXPECT_FLOAT_EQ(compute(Reduce{ReduceKind::log_sum_exp}, {floats({2}, {1000, 1000})}).numbers()[0],
                  1000 + std::log(2.0F));
  EXPECT_EQ(compute(Reduce{ReduceKind::l2}, {floats({2}, {-3, 4})}).numbers(), (Floats{5}));
  EXPECT_FALSE(compute(Reduce{ReduceKind::sum}, {x, longs({3})}).status.ok());
  EXPECT_FALSE(compute(Reduce{ReduceKind::sum}, {x, longs({1, -2})}).status.ok());
}

TEST(Reduces, NothingAndIntegers) {
  EXPECT_EQ(compute(Reduce{ReduceKind::max}, {floats({0}, {})}).numbers(), (Floats{-INFINITY}));
  EXPECT_EQ(compute(Reduce{ReduceKind::product}, {floats({0}, {})}).numbers(), (Floats{1}));
  EXPECT_FALSE(compute(Reduce{ReduceKind::min}, {longs({0}, {})}).status.ok());
  const int64_t large = (int64_t{1} << 53) + 1;
  EXPECT_EQ(compute(Reduce{ReduceKind::sum}, {longs({large, 2})}).values<int64_t>(), (Longs{large + 2}));
}

TEST(Rows, ArgReduceAndTies) {
  const Tensor x = floats({2, 3}, {1, 3, 3, 5, 0, 0});
  EXPECT_EQ(compute(ArgReduce{true, 1}, {x}).values<int64_t>(), (Longs{1, 0}));
  EXPECT_EQ(compute(ArgReduce{true, 1, true, true}, {x}).values<int64_t>(), (Longs{2, 0}));
  EXPECT_EQ(compute(ArgReduce{false, 0, false}, {x}).values<int64_t>(), (Longs{0, 1, 1}));
}

TEST(Rows, TopKIsStable) {
  const Ran ran = compute(TopK{-1}, {floats({1, 4}, {2, 7, 7, 1}), longs({3})}, 2);
  EXPECT_EQ(ran.numbers(), (Floats{7, 7, 2}));
  EXPECT_EQ(ran.values<int64_t>(1), (Longs{1, 2, 0}));
  EXPECT_FALSE(compute(TopK{0}, {floats({2}, {1, 2}), longs({3})}, 2).status.ok());
}

TEST(Rows, RunningSums) {
  const Tensor x = floats({3}, {1, 2, 3});
  EXPECT_EQ(compute(Cumulate{}, {x, longs({}, {0})}).numbers(), (Floats{1, 3, 6}));
  EXPECT_EQ(compute(Cumulate{false, true, true}, {x, longs({}, {0})}).numbers(), (Floats{5, 3, 0}));
}

TEST(Rows, SoftmaxOfLargeNumbers) {
  const Floats y = compute(Softmax{SoftmaxKind::soft, -1}, {floats({1, 2}, {1000, 1000 + std::log(3.0F)})}).numbers();
  EXPECT_NEAR(static_cast<double>(y[0]), 0.25, 1e-4);  // 1000 keeps 4 digits of log 3
  EXPECT_EQ(compute(Softmax{SoftmaxKind::hard, 1}, {floats({1, 3}, {1, 4, 4})}).numbers(), (Floats{0, 1, 0}));
  const Floats flat = compute(Softmax{SoftmaxKind::soft, 1, true}, {floats({1, 2, 2}, {0, 0, 0, 0})}).numbers();
  EXPECT_EQ(flat, (Floats{0.25F, 0.25F, 0.25F, 0.25F}));
}

TEST(Norms, LayerBatchAndGroup) {
  const Tensor x = floats({1, 2, 2}, {1, 3, 10, 30});
  const Ran layer = compute(LayerNorm{-1, 0}, {x, floats({2}, {2, 2}), floats({2}, {1, 1})}, 3);
  EXPECT_EQ(layer.numbers(), (Floats{-1, 3, -1, 3}));
  EXPECT_EQ(layer.values<float>(1), (Floats{2, 20}));
  EXPECT_EQ(layer.values<float>(2), (Floats{1, 0.1F}));
  const Tensor one = floats({2}, {1, 1}), none = floats({2}, {0, 0});
  EXPECT_EQ(compute(InstanceNorm{0}, {x, one, none}).numbers(), (Floats{-1, 1, -1, 1}));
  EXPECT_EQ(compute(BatchNorm{0}, {x, one, none, floats({2}, {1, 10}), floats({2}, {4, 100})}).numbers(),
            (Floats{0, 1, 0, 2}));
  EXPECT_FALSE(compute(GroupNorm{3, 0}, {x, one, none}).status.ok());
  EXPECT_FALSE(compute(BatchNorm{0}, {x, one, none, one, floats({3}, {1, 1, 1})}).status.ok());
}

TEST(Quantizes, PerTensorAxisAndBlock) {
  const Tensor zero = Tensor::of<int8_t>(DType::i8, {}, std::array<int8_t, 1>{1});
  EXPECT_EQ(compute(Quantize{DType::i8}, {floats({4}, {1, 3, -1000, 5}), floats({}, {2}), zero}).values<int8_t>(),
            (std::vector<int8_t>{1, 3, -128, 3}));  // halves to even
  const Tensor q = Tensor::of<int8_t>(DType::i8, {2, 2}, std::array<int8_t, 4>{1, 2, 3, 4});
  EXPECT_EQ(compute(Dequantize{0}, {q, floats({2}, {1, 10})}).numbers(), (Floats{1, 2, 30, 40}));
  EXPECT_EQ(compute(Dequantize{1, 1}, {q, floats({2, 2}, {1, 10, 100, 1000})}).numbers(), (Floats{1, 20, 300, 4000}));
  EXPECT_NE(compute(Dequantize{1}, {q, floats({3}, {1, 1, 1})}).error().find("scale"), std::string::npos);
  const Ran dynamic = compute(DynamicQuantize{}, {floats({2}, {-1, 4.1F})}, 3);
  EXPECT_EQ(dynamic.values<uint8_t>(), (std::vector<uint8_t>{0, 255}));
  EXPECT_EQ(dynamic.values<uint8_t>(2), (std::vector<uint8_t>{50}));
}

}  // namespace
}  // namespace halftone::network
