// SPDX-License-Identifier: Apache-2.0
// The largest sums that the int8 contract can meet: random numbers never come near them, and kernels add products in 16
// bits for as long as they fit.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "kernels/linear/linear_problem.h"

namespace halftone {
namespace {

constexpr int64_t kHigh = 32, kWide = 160, kBatch = 7;

// Both panels hold the code `code` everywhere. Entries of palettes become the largest bytes.
std::vector<std::byte> panels_of(const Layout& layout, int8_t code) {
  RandomWeights w(layout, Order::panel16, kPanelRows, kWide, 5);
  std::fill(w.codes.begin(), w.codes.end(), code);
  for (size_t i = 0; i < w.palettes.size(); ++i)
    w.palettes[i] =
        f32_to_f16(i % static_cast<size_t>(layout.entries()) < static_cast<size_t>(layout.offset) ? -0.5f : 0.5f);
  std::vector<std::byte> panel(static_cast<size_t>(layout.panel_bytes(kWide)));
  layout.pack_panel({kWide, nullptr, w.codes.data(), w.scales.data(), w.bases.data(), w.sub_scales.data(),
                     w.sub_bases.data(), w.palettes.data()},
                    panel);
  std::vector<std::byte> both = panel;
  both.insert(both.end(), panel.begin(), panel.end());
  return both;
}

struct Batch {
  std::vector<int8_t> codes;
  std::vector<float> scales = std::vector<float>(kBatch * 2, 0.5f);
  std::vector<int32_t> sums;
  explicit Batch(bool alternate) {
    for (int64_t i = 0; i < kBatch * kWide; ++i) {
      const bool negative = alternate ? i % 2 == 1 : i / kWide % 2 == 1;
      codes.push_back(negative ? int8_t{-127} : int8_t{127});
      if (i % kActivationGroup == 0) sums.push_back(0);
      sums.back() += codes.back();
    }
  }
  QuantizedActivations view() const {
    return {codes.data(), scales.data(), sums.data(), kWide, 2, kWide / kActivationGroup};
  }
};

std::vector<float> run(const LinearKernel& kernel, const std::vector<std::byte>& weights, const Batch& batch,
                       int64_t tokens) {
  std::vector<float> y(static_cast<size_t>(tokens * kHigh));
  AlignedBuffer<std::byte> scratch(static_cast<size_t>(linear_scratch_bytes(kWide)));
  kernel.run({weights.data(), kHigh, kWide, 0, 2, tokens, nullptr, 0, batch.view(), y.data(), kHigh, scratch.data()});
  return y;
}

TEST(Linear, TheLargestSumsFit) {
  const std::vector<Isa> isas = supported_isas();
  int count = 0, ran = 0;
  const LinearKernel* const* kernels = linear_kernels(&count);
  for (int i = 0; i < count; ++i) {
    const LinearKernel& kernel = *kernels[i];
    if (kernel.activations != Activations::int8 || kernel.isa == Isa::scalar) continue;
    if (std::find(isas.begin(), isas.end(), kernel.isa) == isas.end()) continue;
    const Layout& layout = layout_of(kernel.layout);
    const LinearKernel* reference = select_linear(kernel.layout, kernel.order, Activations::int8, Isa::scalar);
    for (const int code : {-layout.offset, layout.offset - 1}) {
      const std::vector<std::byte> weights = panels_of(layout, static_cast<int8_t>(code));
      for (const bool alternate : {false, true}) {
        const Batch batch(alternate);
        const std::vector<float> expected = run(*reference, weights, batch, kBatch);
        for (const int64_t tokens : {int64_t{1}, kBatch}) {
          const std::vector<float> got = run(kernel, weights, batch, tokens);
          for (size_t at = 0; at < got.size(); ++at) {
            ASSERT_EQ(std::bit_cast<uint32_t>(got[at]), std::bit_cast<uint32_t>(expected[at]))
                << kernel.name << " code " << code << " tokens " << tokens << " at " << at;
          }
          ++ran;
        }
      }
    }
  }
  EXPECT_EQ(ran > 0, isas.size() > 1);
}

}  // namespace
}  // namespace halftone
