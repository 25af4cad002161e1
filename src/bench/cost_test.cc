// SPDX-License-Identifier: Apache-2.0
#include "bench/cost.h"

#include <gtest/gtest.h>

#include <vector>

#include "bench/runner.h"

namespace halftone {
namespace {

constexpr int kHidden = 32, kHeads = 2, kKvHeads = 1, kHeadDim = 16, kVocabulary = 20;

// One attention layer and the output matrix, which is the embedding too; weights are zeros.
std::shared_ptr<const Model> tiny(int64_t window) {
  GraphBuilder builder;
  const WeightId table = builder.weight("table", kVocabulary, kHidden);
  const ValueId x = builder.add("embed", Embedding{table}, {});
  const ValueId q = builder.add("q", Linear{builder.weight("q", kHeads * kHeadDim, kHidden)}, {x});
  const ValueId k = builder.add("k", Linear{builder.weight("k", kKvHeads * kHeadDim, kHidden)}, {x});
  const ValueId v = builder.add("v", Linear{builder.weight("v", kKvHeads * kHeadDim, kHidden)}, {x});
  const StateId state = builder.state("kv", kKvHeads, kHeadDim, window);
  const ValueId a = builder.add("a", Attention{state, kHeads, kKvHeads, kHeadDim, 1.0f, window}, {q, k, v});
  const ValueId logits = builder.add("logits", Linear{table}, {a});
  auto graph = std::move(builder).finish(logits);
  EXPECT_TRUE(graph.ok()) << graph.status().message();
  static const std::vector<float> kZeros(1 << 12);
  const auto find = [](std::string_view name) {
    const int64_t rows = name == "table" ? kVocabulary : name == "q" ? kHeads * kHeadDim : kKvHeads * kHeadDim;
    const auto size = static_cast<size_t>(rows * kHidden);
    return WeightView{&layout_of(LayoutId::f32), Order::rows, rows, kHidden,
                      std::as_bytes(std::span(kZeros).first(size))};
  };
  auto model = Model::bind(std::move(graph).value(), find, nullptr);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return std::move(model).value();
}

constexpr double kLinearBytes = 4.0 * kHidden * (kHeads * kHeadDim + 2 * kKvHeads * kHeadDim);
constexpr double kOutputBytes = 4.0 * kHidden * kVocabulary;
constexpr double kKvBytesPerToken = 2.0 * 2 * kKvHeads * kHeadDim;

TEST(Cost, DecodingReadsEveryWeightAndTheWholeCache) {
  const auto model = tiny(0);
  const PhaseCost cost = cost_of(*model, 10, 2, 1, 2, Activations::int8, KvType::f16);
  // Positions 10 and 11 see 11 and 12 keys, and each writes its own.
  EXPECT_DOUBLE_EQ(cost.bytes, 2 * (kLinearBytes + kOutputBytes) + kKvBytesPerToken * (11 + 12 + 2));
  EXPECT_DOUBLE_EQ(cost.bytes, 2.0 * static_cast<double>(model->decode_bytes()) + kKvBytesPerToken * 25);
  EXPECT_EQ(cost.int8_operations, 0);  // float weights stay floats
  EXPECT_DOUBLE_EQ(cost.f32_operations, 2 * 2 * (kLinearBytes + kOutputBytes) / 4 + 4.0 * kHeads * kHeadDim * 23);
}

TEST(Cost, PrefillReadsWeightsOncePerChunk) {
  const auto model = tiny(0);
  const PhaseCost cost =
      cost_of(*model, 0, 10, 4, 1, Activations::int8, KvType::f16);  // chunks of 4, 4, 2 read 4, 8, 10 keys
  EXPECT_DOUBLE_EQ(cost.bytes, 3 * kLinearBytes + kOutputBytes + kKvBytesPerToken * (4 + 8 + 10 + 10));
  EXPECT_DOUBLE_EQ(cost.f32_operations, 2 * (10 * kLinearBytes + kOutputBytes) / 4 + 4.0 * kHeads * kHeadDim * 55);
}

TEST(Cost, AWindowBoundsTheKeys) {
  const auto model = tiny(4);
  const PhaseCost cost = cost_of(*model, 100, 1, 1, 1, Activations::int8, KvType::f16);
  EXPECT_DOUBLE_EQ(cost.bytes, kLinearBytes + kOutputBytes + kKvBytesPerToken * (4 + 1));
}

TEST(Cost, ACacheIn8BitsIsSmallerAndItsScoresAreIntegerProducts) {
  const auto model = tiny(0);
  const PhaseCost wide = cost_of(*model, 10, 1, 1, 1, Activations::int8, KvType::f16);
  const PhaseCost narrow = cost_of(*model, 10, 1, 1, 1, Activations::int8, KvType::int8);
  EXPECT_DOUBLE_EQ(wide.bytes - narrow.bytes,
                   12.0 * kKvHeads * (kv_token_bytes(KvType::f16, kHeadDim) - kv_token_bytes(KvType::int8, kHeadDim)));
  EXPECT_DOUBLE_EQ(narrow.int8_operations, 2.0 * kHeads * kHeadDim * 11);
  EXPECT_DOUBLE_EQ(narrow.int8_operations + narrow.f32_operations, wide.f32_operations);
}

TEST(JoinedRanges, BridgesGapsOnlyInsideAFile) {
  const std::vector<std::byte> memory(1000);
  const std::span<const std::byte> all(memory);
  const auto first = all.subspan(0, 100), near = all.subspan(150, 100), same = all.subspan(150, 50),
             far = all.subspan(600, 10);
  auto ranges = joined_ranges({near, first, same}, {});
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].size(), 100u);
  EXPECT_EQ(ranges[1].size(), 100u);
  const std::vector<std::span<const std::byte>> files = {all.first(500), all.subspan(500)};
  ranges = joined_ranges({near, first, same, far}, files);
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].data(), memory.data());
  EXPECT_EQ(ranges[0].size(), 250u);
  EXPECT_EQ(ranges[1].size(), 10u);
}

}  // namespace
}  // namespace halftone
