// SPDX-License-Identifier: Apache-2.0
// Which path runs when one is asked for, and that the executor tells.
#include <gtest/gtest.h>

#include <cmath>

#include "base/aligned.h"
#include "base/rng.h"
#include "kernels/isa.h"
#include "runtime/session.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int64_t kWordCount = 32, kWidth = 64;

// An embedding that is also the output: logits are one linear of a row of the table.
struct OneLinear {
  AlignedBuffer<std::byte> bytes;
  std::shared_ptr<const Model> model;

  OneLinear(LayoutId id, Order order) {
    const Layout& layout = layout_of(id);
    Rng rng(11);
    std::vector<float> values;
    for (int64_t i = 0; i < kWordCount * kWidth; ++i)
      values.push_back(bf16_to_f32(f32_to_bf16(static_cast<float>(rng.normal()))));
    bytes.grow(static_cast<size_t>(layout.bytes(kWordCount, kWidth, order)));
    const size_t panel_bytes = static_cast<size_t>(layout.panel_bytes(kWidth));
    for (size_t p = 0; order == Order::panel16 && p < static_cast<size_t>(kWordCount / kPanelRows); ++p) {
      const PanelSource source = {kWidth, &values[p * static_cast<size_t>(kPanelRows * kWidth)], nullptr, nullptr};
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
    auto bound = Model::bind(std::move(graph).value(), find, nullptr);
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

}  // namespace
}  // namespace halftone
