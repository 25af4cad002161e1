// SPDX-License-Identifier: Apache-2.0
// Packed weights of convolutions and products against explicit patches and the scalar linear kernels.
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "kernels/linear/linear_problem.h"
#include "runtime/network/ops/op_problem.h"
#include "runtime/network/runner.h"

namespace halftone::network {
namespace {

struct PatchCase {
  int64_t batch, height, width, in, out, kernel, stride, dilation, pad;
};
constexpr PatchCase kPatchCases[] = {{1, 5, 7, 8, 20, 3, 1, 1, 1},  {2, 6, 5, 33, 17, 1, 1, 1, 0},
                                     {1, 9, 9, 3, 40, 3, 2, 1, 1},  {1, 12, 11, 24, 16, 5, 2, 2, 3},
                                     {3, 7, 7, 160, 9, 3, 1, 1, 1}, {1, 8, 8, 16, 70, 1, 2, 1, 0}};
constexpr LayoutId kPatchLayouts[] = {LayoutId::int8_channel,   LayoutId::int4_channel, LayoutId::int4_block32,
                                      LayoutId::uint4_affine64, LayoutId::lut4_group16, LayoutId::int6_block32};

int64_t out_size(int64_t in, const PatchCase& c) {
  return (in + 2 * c.pad - (c.kernel - 1) * c.dilation - 1) / c.stride + 1;
}

// (pixels, kernel * kernel * in), rows of taps, channels last.
std::vector<float> patches_of(const PatchCase& c, std::span<const float> x) {
  std::vector<float> patches;
  for (int64_t n = 0; n < c.batch; ++n)
    for (int64_t row = 0; row < out_size(c.height, c); ++row)
      for (int64_t column = 0; column < out_size(c.width, c); ++column)
        for (int64_t kh = 0; kh < c.kernel; ++kh)
          for (int64_t kw = 0; kw < c.kernel; ++kw)
            for (int64_t i = 0; i < c.in; ++i) {
              const int64_t h = row * c.stride + kh * c.dilation - c.pad,
                            w = column * c.stride + kw * c.dilation - c.pad;
              const bool inside = h >= 0 && h < c.height && w >= 0 && w < c.width;
              patches.push_back(inside ? x[static_cast<size_t>(((n * c.height + h) * c.width + w) * c.in + i)] : 0);
            }
  return patches;
}

// What the linear contract says, by the scalar row: y (tokens, rows).
std::vector<float> linear_reference(const RandomWeights& weights, const std::vector<float>& x, bool int8) {
  const int64_t columns = weights.columns, tokens = static_cast<int64_t>(x.size()) / columns;
  std::vector<float> y(static_cast<size_t>(tokens * weights.rows));
  AlignedBuffer<std::byte> scratch(static_cast<size_t>(linear_scratch_bytes(columns)));
  LinearArgs args{};
  args.weights = weights.bytes.data(), args.rows = weights.rows, args.columns = columns;
  args.panel_end = (weights.rows + 15) / 16, args.tokens = tokens;
  args.x = x.data(), args.x_stride = columns, args.y = y.data(), args.y_stride = weights.rows;
  args.scratch = scratch.data();
  const int64_t codes = (columns + 31) / 32 * 32, scales = (columns + 127) / 128;
  AlignedBuffer<int8_t> q(static_cast<size_t>(tokens * codes));
  std::vector<float> scale(static_cast<size_t>(tokens * scales));
  std::vector<int32_t> sums(static_cast<size_t>(tokens * codes / 32));
  for (int64_t t = 0; int8 && t < tokens; ++t)
    select_quantize(Isa::scalar)(x.data() + t * columns, columns, 0, q.data() + t * codes,
                                 &scale[static_cast<size_t>(t * scales)], &sums[static_cast<size_t>(t * codes / 32)]);
  args.q = {q.data(), scale.data(), sums.data(), codes, scales, codes / 32};
  select_linear(weights.layout->id, weights.order, int8 ? Activations::int8 : Activations::exact, Isa::scalar)
      ->run(args);
  return y;
}

PackedConstant constant_of(const RandomWeights& weights, Shape shape) {
  const auto bytes = std::make_shared<std::vector<std::byte>>(weights.bytes);
  return {{weights.layout, weights.order, weights.rows, weights.columns, *bytes}, std::move(shape), bytes};
}

Tensor random_tensor(Rng& rng, Shape shape) {
  Floats values(static_cast<size_t>(elements_of(shape)));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return floats(std::move(shape), values);
}

// x → conv of a packed weight with a bias → relu.
void check_patches(const PatchCase& c, LayoutId id, bool int8, int threads) {
  Rng rng(static_cast<uint64_t>(c.in + c.out));
  const RandomWeights weights(layout_of(id), Order::panel16, c.out, c.kernel * c.kernel * c.in, 9);
  const Tensor x = random_tensor(rng, {c.batch, c.height, c.width, c.in}), bias = random_tensor(rng, {c.out});
  auto network = std::make_shared<Network>();
  network->values = {"x", "w", "b", "a", "y"};
  network->packed[1] = constant_of(weights, {c.out, c.kernel, c.kernel, c.in});
  network->constants[2] = bias;
  Conv conv;
  conv.window.order = ImageOrder::channels_last;
  conv.window.strides = {c.stride, c.stride}, conv.window.dilations = {c.dilation, c.dilation};
  conv.window.pads_begin = conv.window.pads_end = {c.pad, c.pad};
  network->nodes = {{conv, "conv", {0, 1, 2}, {3}}, {Unary{UnaryKind::relu}, "relu", {3}, {4}}};
  network->inputs = {{0, DType::f32, false, {}}};
  network->outputs = {{4, DType::f32, false, {}}};
  ASSERT_TRUE(finish(*network).ok());
  ThreadPool pool(threads);
  Runner runner(network, pool, int8 ? Activations::automatic : Activations::exact);
  EXPECT_EQ(runner.activations_used(), int8 ? Activations::int8 : Activations::exact);
  const auto got = runner.run(std::span(&x, 1));
  ASSERT_TRUE(got.ok()) << got.status().message();
  std::vector<float> want = linear_reference(weights, patches_of(c, x.values<float>()), int8);
  ASSERT_EQ(static_cast<size_t>((*got)[0].elements()), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    const float sum = want[i] + bias.values<float>()[i % static_cast<size_t>(c.out)];
    ASSERT_EQ((*got)[0].values<float>()[i], sum < 0 ? 0 : sum) << layout_of(id).name << " at " << i;
  }
}

TEST(PackedConv, IsALinearOverPatches) {
  for (const LayoutId id : kPatchLayouts)
    for (const PatchCase& c : kPatchCases)
      for (const bool int8 : {false, true}) check_patches(c, id, int8, c.batch == 2 ? 1 : 3);
}

TEST(PackedConv, ExactSumsAreThoseOfTheNumbersThatCodesStandFor) {
  const PatchCase c = kPatchCases[0];
  Rng rng(2);
  const RandomWeights weights(layout_of(LayoutId::int8_channel), Order::panel16, c.out, 9 * c.in, 9);
  const Tensor x = random_tensor(rng, {c.batch, c.height, c.width, c.in});
  const std::vector<float> patches = patches_of(c, x.values<float>());
  const std::vector<float> y = linear_reference(weights, patches, false);
  for (size_t i = 0; i < y.size(); ++i) {
    float sum = 0;
    for (int64_t k = 0; k < weights.columns; ++k)
      sum = std::fma(patches[i / 20 * static_cast<size_t>(weights.columns) + static_cast<size_t>(k)],
                     weights.weight(static_cast<int64_t>(i % 20), k), sum);
    ASSERT_EQ(y[i], sum);
  }
}

TEST(PackedConv, ProductsReadRowsWhereTheyLie) {
  Rng rng(3);
  const RandomWeights weights(layout_of(LayoutId::int8_channel), Order::panel16, 37, 96, 5);
  const Tensor x = random_tensor(rng, {2, 3, 96}), flat = x.reshaped({6, 96}), c = random_tensor(rng, {37});
  MatMul product;
  product.transpose_b = true;
  Gemm gemm;
  gemm.transpose_b = true;
  ThreadPool pool(2);
  for (const bool int8 : {false, true}) {
    const std::vector<float> numbers(x.values<float>().begin(), x.values<float>().end());
    const std::vector<float> want = linear_reference(weights, numbers, int8);
    for (const bool plain : {true, false}) {
      auto network = std::make_shared<Network>();
      network->values = {"x", "w", "c", "y"};
      network->packed[1] = constant_of(weights, {37, 96});
      network->constants[2] = c;
      if (plain)
        network->nodes = {{product, "product", {0, 1}, {3}}};
      else
        network->nodes = {{gemm, "gemm", {0, 1, 2}, {3}}};
      network->inputs = {{0, DType::f32, false, {}}};
      network->outputs = {{3, DType::f32, false, {}}};
      ASSERT_TRUE(finish(*network).ok());
      const auto got =
          Runner(network, pool, int8 ? Activations::int8 : Activations::exact).run(std::span(plain ? &x : &flat, 1));
      ASSERT_TRUE(got.ok()) << got.status().message();
      EXPECT_EQ((*got)[0].shape(), plain ? (Shape{2, 3, 37}) : (Shape{6, 37}));
      for (size_t i = 0; i < want.size(); ++i)
        ASSERT_EQ((*got)[0].values<float>()[i], plain ? want[i] : want[i] + c.values<float>()[i % 37]) << i;
    }
  }
}

}  // namespace
}  // namespace halftone::network
