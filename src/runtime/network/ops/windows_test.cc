// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "runtime/network/ops/op_problem.h"

namespace halftone::network {
namespace {

Floats random_floats(Rng& rng, size_t count) {
  Floats values(count);
  for (float& value : values) value = static_cast<float>(rng.below(2001)) / 1000 - 1;
  return values;
}

struct ConvCase {
  int64_t batch, in, out, groups, height, width, kernel_h, kernel_w, stride, dilation, pad_top, pad_left, pad_end;
};

// The definition, in double, channels first.
std::vector<double> plain_conv(const ConvCase& c, const Floats& x, const Floats& w, const Floats& bias, int64_t out_h,
                               int64_t out_w) {
  std::vector<double> y;
  const int64_t in = c.in / c.groups, out = c.out / c.groups;
  for (int64_t n = 0; n < c.batch; ++n)
    for (int64_t o = 0; o < c.out; ++o)
      for (int64_t row = 0; row < out_h; ++row)
        for (int64_t column = 0; column < out_w; ++column) {
          double sum = bias[static_cast<size_t>(o)];
          for (int64_t i = 0; i < in; ++i)
            for (int64_t kh = 0; kh < c.kernel_h; ++kh)
              for (int64_t kw = 0; kw < c.kernel_w; ++kw) {
                const int64_t h = row * c.stride + kh * c.dilation - c.pad_top;
                const int64_t v = column * c.stride + kw * c.dilation - c.pad_left;
                if (h < 0 || h >= c.height || v < 0 || v >= c.width) continue;
                const int64_t channel = o / out * in + i;
                sum +=
                    static_cast<double>(x[static_cast<size_t>(((n * c.in + channel) * c.height + h) * c.width + v)]) *
                    static_cast<double>(w[static_cast<size_t>(((o * in + i) * c.kernel_h + kh) * c.kernel_w + kw)]);
              }
          y.push_back(sum);
        }
  return y;
}

TEST(Windows, ConvolutionIsItsDefinitionInBothOrders) {
  Rng rng(7);
  const ConvCase cases[] = {{2, 4, 6, 1, 7, 9, 3, 3, 1, 1, 1, 1, 1},    {1, 8, 8, 8, 9, 8, 3, 3, 2, 1, 0, 1, 1},
                            {1, 6, 4, 2, 11, 11, 3, 2, 1, 2, 2, 0, 1},  {2, 5, 33, 1, 4, 5, 1, 1, 1, 1, 0, 0, 0},
                            {1, 3, 17, 1, 12, 10, 5, 4, 3, 1, 2, 1, 2}, {1, 4, 8, 4, 6, 6, 3, 3, 1, 1, 1, 1, 1},
                            {1, 16, 5, 1, 6, 30, 3, 9, 1, 1, 2, 0, 0},  {1, 24, 24, 24, 9, 11, 5, 5, 2, 1, 2, 2, 2},
                            {1, 17, 17, 17, 7, 9, 3, 3, 1, 2, 2, 2, 2}, {2, 20, 20, 20, 15, 19, 3, 3, 2, 1, 1, 1, 1},
                            {1, 3, 20, 1, 21, 23, 7, 7, 2, 1, 3, 3, 3}};
  for (const ConvCase& c : cases) {
    const int64_t out_h = (c.height + c.pad_top + c.pad_end - (c.kernel_h - 1) * c.dilation - 1) / c.stride + 1;
    const int64_t out_w = (c.width + c.pad_left + c.pad_end - (c.kernel_w - 1) * c.dilation - 1) / c.stride + 1;
    const Floats x = random_floats(rng, static_cast<size_t>(c.batch * c.in * c.height * c.width));
    const Floats w = random_floats(rng, static_cast<size_t>(c.out * c.in / c.groups * c.kernel_h * c.kernel_w));
    const Floats bias = random_floats(rng, static_cast<size_t>(c.out));
    Conv op;
    op.groups = c.groups;
    op.window.strides = {c.stride, c.stride};
    op.window.dilations = {c.dilation, c.dilation};
    op.window.pads_begin = {c.pad_top, c.pad_left};
    op.window.pads_end = {c.pad_end, c.pad_end};
    const Tensor image = floats({c.batch, c.in, c.height, c.width}, x);
    const Tensor weight = floats({c.out, c.in / c.groups, c.kernel_h, c.kernel_w}, w);
    const Ran first = compute(op, {image, weight, floats({c.out}, bias)});
    ASSERT_TRUE(first.status.ok()) << first.error();
    EXPECT_EQ(first.shape(), (Shape{c.batch, c.out, out_h, out_w}));
    const std::vector<double> want = plain_conv(c, x, w, bias, out_h, out_w);
    const Floats got = first.numbers();
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(static_cast<double>(got[i]), want[i], 1e-5) << i;

    const Transpose last{{0, 2, 3, 1}}, back{{0, 3, 1, 2}};
    op.window.order = ImageOrder::channels_last;
    const Ran second =
        compute(op, {compute(last, {image}).outputs[0], compute(last, {weight}).outputs[0], floats({c.out}, bias)});
    ASSERT_TRUE(second.status.ok()) << second.error();
    const Floats turned = compute(back, {second.outputs[0]}).numbers();
    for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(static_cast<double>(turned[i]), want[i], 1e-5) << i;
  }
}

TEST(Windows, ConvolutionOfOneAxis) {
  Conv op;
  op.window.auto_pad = AutoPad::same_upper;
  const Ran ran = compute(op, {floats({1, 1, 4}, {1, 2, 3, 4}), floats({1, 1, 2}, {1, 10})});
  EXPECT_EQ(ran.numbers(), (Floats{21, 32, 43, 4}));  // the odd pad is at the end
}

TEST(Windows, ConvolutionRefusesWhatDoesNotFit) {
  const Tensor x = floats({1, 2, 3, 3}, Floats(18));
  EXPECT_NE(compute(Conv{}, {x, floats({1, 3, 1, 1}, Floats(3))}).error().find("[1, 3, 1, 1]"), std::string::npos);
  EXPECT_NE(compute(Conv{}, {x, floats({1, 2, 4, 4}, Floats(32))}).error().find("at least 4"), std::string::npos);
  Conv op;
  op.groups = 0;
  EXPECT_FALSE(compute(op, {x, floats({1, 2, 1, 1}, Floats(2))}).status.ok());
  op.groups = 1;
  op.window.strides = {0, 1};
  EXPECT_NE(compute(op, {x, floats({1, 2, 1, 1}, Floats(2))}).error().find("strides"), std::string::npos);
  op.window.strides = {};
  op.window.pads_begin = {INT64_MAX, 0};
  EXPECT_NE(compute(op, {x, floats({1, 2, 1, 1}, Floats(2))}).error().find("pads"), std::string::npos);
  EXPECT_NE(compute(Conv{}, {x, floats({1, 2, 1, 1}, Floats(2)), floats({2}, Floats(2))}).error().find("bias"),
            std::string::npos);
}

TEST(Windows, IntegerConvolutionSubtractsZeroPoints) {
  const Tensor x = Tensor::of<uint8_t>(DType::u8, {1, 1, 1, 3}, std::array<uint8_t, 3>{2, 3, 255});
  const Tensor w = Tensor::of<int8_t>(DType::i8, {1, 1, 1, 2}, std::array<int8_t, 2>{-128, 127});
  const Tensor zero = Tensor::of<uint8_t>(DType::u8, {}, std::array<uint8_t, 1>{1});
  EXPECT_EQ(compute(IntegerConv{}, {x, w, zero}).values<int32_t>(),
            (std::vector<int32_t>{-128 * 1 + 127 * 2, -128 * 2 + 127 * 254}));
}

TEST(Windows, AveragesCountPadsWhenAsked) {
  Pool op{PoolKind::average, {}};
  op.window.kernel = {2};
  op.window.pads_begin = {1};
  op.window.pads_end = {0};
  const Tensor x = floats({1, 1, 3}, {2, 4, 8});
  EXPECT_EQ(compute(op, {x}).numbers(), (Floats{2, 3, 6}));
  op.count_pads = true;
  EXPECT_EQ(compute(op, {x}).numbers(), (Floats{1, 3, 6}));
}

TEST(Windows, CeilLetsTheLastWindowHangOver) {
  Pool op{PoolKind::max, {}};
  op.window.kernel = {2};
  op.window.strides = {2};
  const Tensor x = floats({1, 1, 3}, {2, 4, 8});
  EXPECT_EQ(compute(op, {x}).numbers(), (Floats{4}));
  op.window.ceil = true;
  const Ran ran = compute(op, {x}, 2);
  EXPECT_EQ(ran.numbers(), (Floats{4, 8}));
  EXPECT_EQ(ran.values<int64_t>(1), (Longs{1, 2}));
}

TEST(Windows, PoolsOfIntegersAndOfTheWholeImage) {
  const Tensor x = Tensor::of<int8_t>(DType::i8, {1, 1, 4}, std::array<int8_t, 4>{-5, 7, -128, 3});
  Pool op{PoolKind::max, {}};
  op.global = true;
  EXPECT_EQ(compute(op, {x}).values<int8_t>(), (std::vector<int8_t>{7}));
  op.kind = PoolKind::lp;
  EXPECT_EQ(compute(op, {floats({1, 1, 2}, {3, 4})}).numbers(), (Floats{5}));
}

TEST(Windows, TransposedConvolutionOverlaps) {
  ConvTranspose op;
  op.window.strides = {2};
  const Ran ran = compute(op, {floats({1, 1, 2}, {1, 10}), floats({1, 1, 3}, {1, 2, 3})});
  EXPECT_EQ(ran.numbers(), (Floats{1, 2, 13, 20, 30}));
  op.output_shape = {4};
  EXPECT_EQ(compute(op, {floats({1, 1, 2}, {1, 10}), floats({1, 1, 3}, {1, 2, 3})}).shape(), (Shape{1, 1, 4}));
}

TEST(Windows, UnpoolRefusesIndicesOutside) {
  MaxUnpool op;
  op.window.kernel = {2};
  op.window.strides = {2};
  EXPECT_EQ(compute(op, {floats({1, 1, 2}, {5, 6}), longs({1, 1, 2}, {1, 2})}).numbers(), (Floats{0, 5, 6, 0}));
  EXPECT_NE(compute(op, {floats({1, 1, 2}, {5, 6}), longs({1, 1, 2}, {1, 4})}).error().find("got 4"),
            std::string::npos);
}

}  // namespace
}  // namespace halftone::network
