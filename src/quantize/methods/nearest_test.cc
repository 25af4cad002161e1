// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <vector>

#include "base/rng.h"
#include "formats/json_text.h"
#include "quantize/methods/method.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

struct Chosen {
  std::vector<int8_t> codes;
  std::vector<uint16_t> scales, bases;
  float scale(size_t group) const { return f16_to_f32(scales[group]); }
  float base(size_t group) const { return f16_to_f32(bases[group]); }
};

Chosen choose(LayoutId id, const std::vector<float>& values, int64_t rows = 1) {
  const Layout& layout = layout_of(id);
  const int64_t columns = static_cast<int64_t>(values.size()) / rows;
  Chosen chosen{std::vector<int8_t>(values.size()),
                std::vector<uint16_t>(static_cast<size_t>(rows * layout.groups(columns))),
                {}};
  if (layout.affine) chosen.bases.resize(chosen.scales.size());
  find_method("nearest")->choose(layout, {values, rows, columns}, {chosen.codes, chosen.scales, chosen.bases});
  return chosen;
}

TEST(Nearest, Int8CodesOfAHandMadeRow) {
  const Chosen chosen = choose(LayoutId::int8_channel, {0, 1.27f * 64, -0.64f * 64, 0.32f * 64 + 0.01f});
  EXPECT_NEAR(chosen.scale(0), 0.64f, 0.0004f);
  EXPECT_EQ(chosen.codes, (std::vector<int8_t>{0, 127, -64, 32}));
}

TEST(Nearest, Int8RoundsTiesToEven) {
  const Chosen chosen = choose(LayoutId::int8_channel, {127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 126.49f, -127});
  EXPECT_EQ(chosen.scale(0), 1.0f);
  EXPECT_EQ(chosen.codes, (std::vector<int8_t>{127, 0, 2, 2, 0, -2, 126, -127}));
}

// Codes and scales of the formats' own rules, by tests/tools/nearest_reference.py.
TEST(Nearest, GivesWhatTheFormatsToolsGive) {
  const auto golden = read_json_file(std::filesystem::path(HALFTONE_SOURCE_DIR) / "tests/golden/nearest.json");
  ASSERT_TRUE(golden.ok()) << golden.status().message();
  int compared = 0;
  for (const auto& one : (*golden)["cases"]) {
    std::vector<float> values;
    for (const uint32_t bits : one["values"].get<std::vector<uint32_t>>()) values.push_back(std::bit_cast<float>(bits));
    for (const Layout* layout : all_layouts()) {
      const std::string name(layout->name);
      if (!one.contains(name)) continue;
      const Chosen chosen = choose(layout->id, values);
      EXPECT_EQ(chosen.codes, one[name]["codes"].get<std::vector<int8_t>>()) << name << " case " << compared;
      EXPECT_EQ(chosen.scales[0], one[name]["scale"].get<uint16_t>()) << name << " case " << compared;
      if (layout->affine) {
        EXPECT_EQ(chosen.bases[0], one[name]["base"].get<uint16_t>()) << name << " case " << compared;
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 250);
}

TEST(Nearest, Int4TakesEightStepsOnTheSideOfTheExtreme) {
  const Chosen negative = choose(LayoutId::int4_block32, {-8, 7, 3, -5, 1, 6, 2, -1});
  EXPECT_EQ(negative.scale(0), 1.0f);
  EXPECT_EQ(negative.codes, (std::vector<int8_t>{-8, 7, 3, -5, 1, 6, 2, -1}));
  const Chosen positive = choose(LayoutId::int4_block32, {8, -7, -3, 5, -1, -6, -2, 1});
  EXPECT_EQ(positive.scale(0), -1.0f);
  EXPECT_EQ(positive.codes, (std::vector<int8_t>{-8, 7, 3, -5, 1, 6, 2, -1}));
}

TEST(Nearest, GroupsAreIndependentAndTheLastMayBePartial) {
  std::vector<float> values(2 * 44, 0.0f);  // two rows of one whole and one partial group
  values[0] = -8;
  values[43] = 7 * 0.5f;
  values[42] = -8 * 0.5f;
  values[44 + 31] = 7 * 2;
  values[44 + 30] = -8 * 2;
  const Chosen chosen = choose(LayoutId::int4_block32, values, 2);
  EXPECT_EQ(chosen.scale(0), 1.0f);
  EXPECT_EQ(chosen.scale(1), 0.5f);
  EXPECT_EQ(chosen.scale(2), 2.0f);
  EXPECT_EQ(chosen.scale(3), 0.0f);  // all zeros
  EXPECT_EQ(chosen.codes[0], -8);
  EXPECT_EQ(chosen.codes[43], 7);
  EXPECT_EQ(chosen.codes[44 + 31], 7);
  EXPECT_EQ(chosen.codes[44 + 43], 0);
}

TEST(Nearest, ErrorIsHalfAStepAndWhatRoundingTheScaleMoves) {
  Rng rng(7);
  for (int trial = 0; trial < 500; ++trial) {
    std::vector<float> values(32);
    for (float& value : values) value = static_cast<float>(rng.normal());
    const Chosen chosen = choose(LayoutId::int8_block32, values);
    for (size_t i = 0; i < values.size(); ++i) {
      const float off = std::fabs(static_cast<float>(chosen.codes[i]) * chosen.scale(0) - values[i]);
      ASSERT_LE(off, 0.5f * chosen.scale(0) * 1.0001f + 0.001f * std::fabs(values[i])) << "seed 7, trial " << trial;
    }
  }
}

TEST(Nearest, TinyWeightsKeepTheirSignAndSize) {
  for (const float size : {1e-4f, 1e-6f, 3e-7f}) {  // scales in and below the subnormal numbers of f16
    for (const LayoutId id : {LayoutId::int8_block32, LayoutId::int4_block32, LayoutId::int6_block32}) {
      std::vector<float> values = {size, -size, size / 2, 0};
      const Chosen chosen = choose(id, values);
      for (size_t i = 0; i < values.size(); ++i)
        EXPECT_NEAR(static_cast<float>(chosen.codes[i]) * chosen.scale(0), values[i], std::max(size * 0.2f, 3.1e-8f))
            << size << " " << i;
    }
  }
}

TEST(Nearest, AScaleBeyondF16IsInfinity) {
  EXPECT_TRUE(std::isinf(choose(LayoutId::int8_channel, {1e7f, 1}).scale(0)));
  EXPECT_TRUE(std::isinf(choose(LayoutId::int4_block32, {1e7f, 1}).scale(0)));
  const Chosen only_eight = choose(LayoutId::int4_block32, {7.6f * 65504, 0});  // fits at -8, not at 7
  EXPECT_FALSE(std::isinf(only_eight.scale(0)));
  EXPECT_EQ(only_eight.codes[0], -8);
}

TEST(Nearest, EveryBitWidthReachesItsRange) {
  for (const Layout* layout : all_layouts()) {
    if (layout->is_float() || layout->affine || layout->is_nested() || layout->is_palette()) continue;
    const bool even = layout->bits == 8 || layout->group == 0;  // as many codes below zero as above
    const auto lowest = static_cast<float>(even ? layout->q_min : -layout->offset);
    const auto highest = static_cast<float>(layout->q_max);
    const Chosen chosen = choose(layout->id, {lowest, highest, 0, 1, -1, highest - 1});
    EXPECT_EQ(chosen.scale(0), 1.0f) << layout->name;
    const auto code = [](float value) { return static_cast<int8_t>(value); };
    EXPECT_EQ(chosen.codes, (std::vector<int8_t>{code(lowest), code(highest), 0, 1, -1, code(highest - 1)}))
        << layout->name;
  }
}

TEST(Nearest, AffineCodesOfAHandMadeGroup) {
  const Chosen chosen = choose(LayoutId::uint4_affine32, {-1, 6.5f, 0, 0.4f, -0.9f, 3.1f});
  EXPECT_EQ(chosen.base(0), 6.5f);
  EXPECT_EQ(chosen.scale(0), -0.5f);
  EXPECT_EQ(chosen.codes, (std::vector<int8_t>{15 - 8, 0 - 8, 13 - 8, 12 - 8, 15 - 8, 7 - 8}));
}

TEST(Nearest, AffineGroupsMayLieOnOneSideOfZero) {
  const Chosen above = choose(LayoutId::uint8_affine64, {10, 265, 11});  // nothing is spent on what lies below 10
  EXPECT_EQ(above.base(0), 265.0f);
  EXPECT_EQ(above.scale(0), -1.0f);
  EXPECT_EQ(above.codes, (std::vector<int8_t>{127, -128, 126}));
  const Chosen equal = choose(LayoutId::uint4_affine64, std::vector<float>(64, -0.3125f));
  EXPECT_EQ(equal.base(0), -0.3125f);
  EXPECT_NEAR(equal.scale(0), 0, 2e-7f);
  EXPECT_EQ(equal.codes, std::vector<int8_t>(64, -8));
}

// No weight is further off than half a step, or (at the end that is not exact) one and a half, and what rounding scale
// and base to f16 moves.
TEST(Nearest, AffineErrorIsBounded) {
  Rng rng(13);
  for (const Layout* layout : all_layouts()) {
    if (!layout->affine || layout->is_nested()) continue;
    const auto highest = static_cast<float>(2 * layout->offset - 1);
    for (int trial = 0; trial < 100; ++trial) {
      std::vector<float> values(3 * 172);  // the last group of a row is partial
      const double shift = rng.normal(), spread = std::exp(2 * rng.normal());
      for (float& value : values) value = static_cast<float>(rng.normal() * spread + shift);
      const Chosen chosen = choose(layout->id, values, 3);
      const int64_t groups = layout->groups(172);
      for (size_t i = 0; i < values.size(); ++i) {
        const auto group = i / 172 * static_cast<size_t>(groups) + i % 172 / static_cast<size_t>(layout->group);
        const float code = static_cast<float>(chosen.codes[i] + layout->offset);
        const float off = std::fabs(code * chosen.scale(group) + chosen.base(group) - values[i]);
        const float step = std::fabs(chosen.scale(group)), ends = std::fabs(chosen.base(group)) + 256 * step;
        ASSERT_LE(off, (code == 0 || code == highest ? 1.501f : 0.501f) * step + ends / 2048)
            << layout->name << " seed 13, trial " << trial;
      }
    }
  }
}

TEST(Nearest, ABaseBeyondF16IsInfinity) {
  EXPECT_TRUE(std::isinf(choose(LayoutId::uint4_affine32, {-1e7f, 1}).base(0)));
  EXPECT_TRUE(std::isinf(choose(LayoutId::uint8_affine32, {0, 1e8f}).scale(0)));
}

TEST(Nearest, LanesDoNotChangeTheResult) {
  // A row is the same whether its group begins the row or not, and whatever its neighbours are.
  Rng rng(3);
  std::vector<float> values(96);
  for (float& value : values) value = static_cast<float>(rng.normal());
  const Chosen whole = choose(LayoutId::int4_block32, values);
  const Chosen middle = choose(LayoutId::int4_block32, std::vector<float>(values.begin() + 32, values.begin() + 64));
  EXPECT_EQ(whole.scales[1], middle.scales[0]);
  EXPECT_TRUE(std::equal(middle.codes.begin(), middle.codes.end(), whole.codes.begin() + 32));
}

TEST(Methods, TableFindsByName) {
  ASSERT_FALSE(all_methods().empty());
  for (const Method& method : all_methods()) EXPECT_EQ(find_method(method.name), &method);
  EXPECT_EQ(find_method("nearest-ish"), nullptr);
}

}  // namespace
}  // namespace halftone
