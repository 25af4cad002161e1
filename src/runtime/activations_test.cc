// SPDX-License-Identifier: Apache-2.0
// Which path runs when one is asked for, and that the executor tells.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/aligned.h"
#include "base/rng.h"
#include "kernels/isa.h"
#include "kernels/vector/vector.h"
#include "runtime/session.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int64_t kWordCount = 32, kWidth = 64;

// An embedding that is also the output: logits are one linear of a row of the table.
struct OneLinear {
  AlignedBuffer<std::byte> bytes;
  std::shared_ptr<const Model> model;
  std::vector<int8_t> codes;  // of integer layouts; every scale is a quarter

  OneLinear(LayoutId id, Order order, StaticRange range = {}) {
    const Layout& layout = layout_of(id);
    Rng rng(11);
    std::vector<float> values;
    for (int64_t i = 0; i < kWordCount * kWidth; ++i)
      values.push_back(bf16_to_f32(f32_to_bf16(static_cast<float>(rng.normal()))));
    bytes.grow(static_cast<size_t>(layout.bytes(kWordCount, kWidth, order)));
    const size_t panel_bytes = static_cast<size_t>(layout.panel_bytes(kWidth));
    const auto groups = static_cast<size_t>(layout.group > 0 ? kWidth / layout.group : 1);
    const std::vector<uint16_t> scales(kPanelRows * groups, f32_to_f16(0.25f));
    for (const float value : values)
      codes.push_back(static_cast<int8_t>(
          std::clamp(static_cast<int>(value * 4), std::min(0, layout.q_min), std::max(0, layout.q_max))));
    for (size_t p = 0; order == Order::panel16 && p < static_cast<size_t>(kWordCount / kPanelRows); ++p) {
      const size_t first = p * static_cast<size_t>(kPanelRows * kWidth);
      const PanelSource source = {kWidth, &values[first], &codes[first], scales.data()};
      layout.pack_panel(source, std::span(bytes.data() + p * panel_bytes, panel_bytes));
    }
    for (size_t i = 0; order == Order::rows && i < values.size(); ++i) {
      const uint16_t half = f32_to_bf16(values[i]);
      std::memcpy(bytes.data() + 2 * i, &half, 2);
    }
    GraphBuilder builder;
    const WeightId table = builder.weight("table", kWordCount, kWidth), norm = builder.weight("norm", 1, kWidth);
    const ValueId h = builder.add("embed", Embedding{table}, {});
    const ValueId n = builder.add("norm", RmsNorm{norm, 1e-5f}, {h});
    const ValueId logits = builder.add("logits", Linear{table}, {n});
    Result<Graph> graph = std::move(builder).finish(logits);
    EXPECT_TRUE(graph.ok()) << graph.status().message();
    static const std::vector<float> ones(kWidth, 1.0f);
    const auto find = [&](std::string_view name) {
      if (name == "norm")
        return WeightView{&layout_of(LayoutId::f32), Order::rows, 1, kWidth, std::as_bytes(std::span(ones))};
      return WeightView{&layout, order, kWordCount, kWidth, {bytes.data(), bytes.size()}};
    };
    auto bound = Model::bind(std::move(graph).value(), find, nullptr, [&](std::string_view) { return range; });
    EXPECT_TRUE(bound.ok()) << bound.status().message();
    model = std::move(bound).value();
  }

  // The logits of one token, and the activations that the executor says it used.
  std::vector<float> run(Activations wanted, std::string& used) const {
    const auto executor = Executor::create(model, {1, wanted});
    EXPECT_TRUE(executor.ok()) << executor.status().message();
    used = (*executor)->activations_used();
    Sequence sequence(model);
    Sequence* sequences[] = {&sequence};
    const BatchToken batch[] = {{5, 0, true}};
    std::vector<float> logits;
    const Status status = (*executor)->forward(
        sequences, batch, [&](int64_t, std::span<const float> row) { logits.assign(row.begin(), row.end()); });
    EXPECT_TRUE(status.ok()) << status.message();
    return logits;
  }
};

TEST(Activations, Bf16RunsWhereWeightsAreBf16PanelsAndElsewhereExactSaysSo) {
  const OneLinear panels(LayoutId::bf16, Order::panel16), rows(LayoutId::bf16, Order::rows);
  std::string used;
  const std::vector<float> exact = panels.run(Activations::exact, used);
  EXPECT_EQ(used, "exact");
  EXPECT_EQ(rows.run(Activations::bf16, used), exact);  // the order of files has no approximate path
  EXPECT_EQ(used, "exact");
  std::vector<float> first;
  for (const Isa isa : supported_isas()) {
    ASSERT_TRUE(force_isa(isa).ok());
    const std::vector<float> approximate = panels.run(Activations::bf16, used);
    const bool here = isa == Isa::scalar || (isa == Isa::avx512 && has_bf16_dot());
    EXPECT_EQ(used, here ? "bf16" : "exact") << name_of(isa);
    if (!here) {
      EXPECT_EQ(approximate, exact) << name_of(isa);
      continue;
    }
    if (first.empty()) first = approximate;
    EXPECT_EQ(approximate, first) << name_of(isa);
    EXPECT_NE(approximate, exact) << "activations were not rounded";
    for (size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(approximate[i], exact[i], 0.15f) << i;
  }
  ASSERT_TRUE(force_isa(supported_isas().back()).ok());
}

// What the matrix reads in OneLinear::run: row 5 of the table, over its root mean square.
std::vector<float> input_of(const OneLinear& one) {
  std::vector<float> row(kWidth), x(kWidth);
  const std::vector<float> ones(kWidth, 1.0f);
  decode_row(one.model->weight(0), 5, row.data());
  select_vector(Isa::scalar).rms_norm(row.data(), ones.data(), kWidth, 1e-5f, x.data());
  return x;
}

float plain_code(float x, const StaticRange& range) {
  const float largest = range.bits == 8 ? 127.0f : 32767.0f;
  return std::clamp(std::nearbyint(x / range.scale), -largest, largest);
}

TEST(Activations, StaticRangesOfEightBitsRunAsIntegers) {
  const StaticRange range = {8, 0.0117f};  // cuts what exceeds 1.49: about one in seven
  for (const LayoutId layout : {LayoutId::int8_channel, LayoutId::int4_block32}) {
    const OneLinear fixed(layout, Order::panel16, range), searched(layout, Order::panel16);
    const std::vector<float> x = input_of(fixed);
    std::vector<float> want;
    int cut = 0;
    for (const float value : x) cut += std::fabs(plain_code(value, range)) == 127.0f ? 1 : 0;
    ASSERT_GT(cut, 3);
    for (int64_t r = 0; r < kWordCount; ++r) {
      float s = 0;
      for (int64_t group = 0; group < kWidth; group += 32) {
        int32_t sum = 0;
        for (int64_t k = group; k < group + 32; ++k)
          sum += static_cast<int32_t>(plain_code(x[static_cast<size_t>(k)], range)) *
                 fixed.codes[static_cast<size_t>(r * kWidth + k)];
        s += static_cast<float>(sum) * (layout == LayoutId::int8_channel ? 1.0f : 0.25f);  // all exact
      }
      want.push_back(s * range.scale * (layout == LayoutId::int8_channel ? 0.25f : 1.0f));
    }
    for (const Isa isa : supported_isas()) {
      ASSERT_TRUE(force_isa(isa).ok());
      std::string used;
      EXPECT_EQ(fixed.run(Activations::automatic, used), want) << name_of(isa);
      EXPECT_EQ(used, "static8");
      EXPECT_EQ(fixed.run(Activations::int8, used), searched.run(Activations::automatic, used)) << name_of(isa);
      EXPECT_EQ(used, "int8");
      EXPECT_EQ(fixed.run(Activations::exact, used), searched.run(Activations::exact, used)) << name_of(isa);
      EXPECT_EQ(used, "exact");
    }
  }
  ASSERT_TRUE(force_isa(supported_isas().back()).ok());
}

TEST(Activations, WhatHasNoIntegerKernelIsRoundedAndMultipliedExactly) {
  const struct {
    LayoutId layout;
    StaticRange range;
    std::string_view name;
  } rows[] = {{LayoutId::int8_channel, {16, 4e-5f}, "simulated16"}, {LayoutId::bf16, {8, 0.0117f}, "simulated8"}};
  for (const auto& row : rows) {
    const OneLinear one(row.layout, Order::panel16, row.range);
    const std::vector<float> x = input_of(one);
    std::vector<float> want, weights(kWidth);
    for (int64_t r = 0; r < kWordCount; ++r) {
      decode_row(one.model->weight(0), r, weights.data());
      float sum = 0;
      for (size_t k = 0; k < x.size(); ++k)
        sum = std::fma(plain_code(x[k], row.range) * row.range.scale, weights[k], sum);
      want.push_back(sum);
    }
    for (const Isa isa : supported_isas()) {
      ASSERT_TRUE(force_isa(isa).ok());
      std::string used;
      EXPECT_EQ(one.run(Activations::automatic, used), want) << name_of(isa);
      EXPECT_EQ(used, row.name);
      EXPECT_NE(one.run(Activations::exact, used), want) << "nothing was rounded";
      EXPECT_EQ(used, "exact");
    }
  }
  ASSERT_TRUE(force_isa(supported_isas().back()).ok());
}

// Two matrices that read one value, and a table that is only looked up.
std::string bind_message(const std::function<StaticRange(std::string_view)>& input_of) {
  GraphBuilder builder;
  const ValueId h = builder.add("embed", Embedding{builder.weight("table", 4, 2)}, {});
  const ValueId a = builder.add("a", Linear{builder.weight("a.weight", 3, 2)}, {h});
  const ValueId b = builder.add("b", Linear{builder.weight("b.weight", 3, 2)}, {h});
  auto graph = std::move(builder).finish(builder.add("sum", Add{}, {a, b}));
  static const std::vector<float> zeros(16);
  const auto find = [](std::string_view name) {
    const int64_t rows = name == "table" ? 4 : 3;
    return WeightView{&layout_of(LayoutId::f32), Order::rows, rows, 2, std::as_bytes(std::span(zeros))};
  };
  const auto bound = Model::bind(std::move(graph).value(), find, nullptr, input_of);
  return bound.ok() ? "accepted" : std::string(bound.status().message());
}

TEST(Activations, RangesAreOfAllMatricesOrOfNone) {
  const StaticRange range = {8, 0.5f};
  using Name = std::string_view;
  EXPECT_EQ(bind_message([](Name) { return StaticRange(); }), "accepted");
  EXPECT_EQ(bind_message([&](Name name) { return name == "table" ? StaticRange() : range; }), "accepted");
  EXPECT_EQ(bind_message([&](Name name) { return name == "b.weight" ? range : StaticRange(); }),
            "[bind] tensor a.weight: expected a range of its inputs, as b.weight has one, got none; quantize again");
  EXPECT_EQ(bind_message([&](Name) { return range; }),
            "[bind] tensor table: expected no range of inputs, as it is only looked up, got one of 8 bits");
}

}  // namespace
}  // namespace halftone
