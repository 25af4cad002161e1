// SPDX-License-Identifier: Apache-2.0
// Walks the registry: a layout added to the table is tested here without a new line.
#include "tensor/layout.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <vector>

#include "base/rng.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int64_t kColumns[] = {1, 2, 7, 8, 31, 32, 33, 64, 172, 256};

struct Panel {
  std::vector<float> values;
  std::vector<int8_t> codes;
  std::vector<uint16_t> scales;
  std::vector<std::byte> bytes;
};

// A panel of random numbers that the layout can hold, packed over memory that was not zero.
Panel random_panel(const Layout& layout, int64_t columns, Rng& rng) {
  Panel panel;
  if (layout.is_float()) {
    for (int64_t i = 0; i < kPanelRows * columns; ++i) panel.values.push_back(static_cast<float>(rng.normal()));
  } else {
    const auto span = static_cast<uint64_t>(2 * layout.offset);  // every code that can be stored, the unused lowest too
    for (int64_t i = 0; i < kPanelRows * columns; ++i) {
      panel.codes.push_back(static_cast<int8_t>(static_cast<int>(rng.below(span)) - layout.offset));
    }
    for (int64_t i = 0; i < kPanelRows * layout.groups(columns); ++i) {
      panel.scales.push_back(f32_to_f16(static_cast<float>(rng.normal())));
    }
  }
  panel.bytes.assign(static_cast<size_t>(layout.panel_bytes(columns)), std::byte{0xa5});
  const PanelSource source = {columns, panel.values.data(), panel.codes.data(), panel.scales.data()};
  layout.pack_panel(source, panel.bytes);
  return panel;
}

float stored_value(const Layout& layout, const Panel& panel, int64_t columns, int r, int64_t k) {
  const auto at = static_cast<size_t>(r * columns + k);
  if (layout.id == LayoutId::f32) return panel.values[at];
  if (layout.id == LayoutId::f16) return f16_to_f32(f32_to_f16(panel.values[at]));
  if (layout.id == LayoutId::bf16) return bf16_to_f32(f32_to_bf16(panel.values[at]));
  const int64_t group = layout.group == 0 ? 0 : k / layout.group;
  return static_cast<float>(panel.codes[at]) *
         f16_to_f32(panel.scales[static_cast<size_t>(r * layout.groups(columns) + group)]);
}

TEST(Layout, TableAgreesWithIds) {
  int index = 0;
  for (const Layout* layout : all_layouts()) {
    EXPECT_EQ(static_cast<int>(layout->id), index++);
    EXPECT_EQ(&layout_of(layout->id), layout);
    EXPECT_EQ(find_layout(layout->name), layout);
    EXPECT_EQ(layout->q_min, -layout->q_max);
    if (!layout->is_float()) {
      EXPECT_EQ(layout->offset, 1 << (layout->bits - 1));
      EXPECT_EQ(layout->q_max, layout->offset - 1);
    }
  }
  EXPECT_EQ(index, static_cast<int>(LayoutId::int4_block32) + 1);
  EXPECT_EQ(find_layout("int4-block32"), &layout_of(LayoutId::int4_block32));
  EXPECT_EQ(find_layout("int4_block3"), nullptr);
  EXPECT_EQ(find_layout(""), nullptr);
}

TEST(Layout, BytesOfKnownShapes) {
  const auto panel = [](LayoutId id, int64_t rows, int64_t columns) {
    return layout_of(id).bytes(rows, columns, Order::panel16);
  };
  EXPECT_EQ(panel(LayoutId::f32, 16, 3), 16 * 3 * 4);
  EXPECT_EQ(panel(LayoutId::f16, 17, 33), 2 * (17 * 64));
  EXPECT_EQ(panel(LayoutId::bf16, 16, 33), 16 * 34 * 2);
  EXPECT_EQ(panel(LayoutId::int8_channel, 16, 172), 64 + 176 * 16);
  EXPECT_EQ(panel(LayoutId::int8_block32, 16, 172), 6 * 32 + 176 * 16);
  EXPECT_EQ(panel(LayoutId::int4_channel, 16, 33), 64 + 40 * 8);
  EXPECT_EQ(panel(LayoutId::int4_block32, 40, 4096), 3 * (128 * 32 + 4096 * 8));
  EXPECT_EQ(layout_of(LayoutId::bf16).bytes(3, 7, Order::rows), 42);
  for (const Layout* layout : all_layouts()) {
    for (const int64_t columns : kColumns) EXPECT_EQ(layout->panel_bytes(columns) % 64, 0) << layout->name;
  }
}

TEST(Layout, PanelsDecodeToWhatWasPacked) {
  const uint64_t seed = 7;
  SCOPED_TRACE(seed);
  Rng rng(seed);
  for (const Layout* layout : all_layouts()) {
    for (const int64_t columns : kColumns) {
      SCOPED_TRACE(std::string(layout->name) + " columns " + std::to_string(columns));
      const Panel panel = random_panel(*layout, columns, rng);
      std::vector<float> out(static_cast<size_t>(columns + 1), -77.0f);
      for (int r = 0; r < kPanelRows; ++r) {
        layout->decode_row(panel.bytes, r, columns, out.data());
        for (int64_t k = 0; k < columns; ++k) {
          ASSERT_EQ(out[static_cast<size_t>(k)], stored_value(*layout, panel, columns, r, k)) << r << ' ' << k;
        }
        ASSERT_EQ(out.back(), -77.0f) << "wrote past the row";
      }
    }
  }
}

// Packing the same numbers twice over different garbage gives the same bytes: padding is written, artifacts are
// reproducible.
TEST(Layout, EveryByteOfAPanelIsWritten) {
  Rng rng(8);
  for (const Layout* layout : all_layouts()) {
    for (const int64_t columns : kColumns) {
      const Panel panel = random_panel(*layout, columns, rng);
      std::vector<std::byte> again(panel.bytes.size(), std::byte{0x3c});
      layout->pack_panel({columns, panel.values.data(), panel.codes.data(), panel.scales.data()}, again);
      EXPECT_EQ(panel.bytes, again) << layout->name << " columns " << columns;
    }
  }
}

// Every code of every integer layout, in every position of a block and with positive, negative, subnormal and zero
// scales.
TEST(Layout, EveryCodeInEveryPosition) {
  constexpr int64_t kWide = 41;
  for (const Layout* layout : all_layouts()) {
    if (layout->is_float()) continue;
    const std::vector<uint16_t> some = {0x3c00, 0xbc01, 0x0001, 0x0000, 0x7bff};
    for (int q = -layout->offset; q < layout->offset; ++q) {
      Panel panel;
      panel.codes.assign(kPanelRows * kWide, static_cast<int8_t>(q));
      for (int64_t i = 0; i < kPanelRows * layout->groups(kWide); ++i)
        panel.scales.push_back(some[static_cast<size_t>(i) % 5]);
      panel.bytes.resize(static_cast<size_t>(layout->panel_bytes(kWide)));
      layout->pack_panel({kWide, nullptr, panel.codes.data(), panel.scales.data()}, panel.bytes);
      std::vector<float> out(kWide);
      for (int r = 0; r < kPanelRows; ++r) {
        layout->decode_row(panel.bytes, r, kWide, out.data());
        for (int64_t k = 0; k < kWide; ++k) {
          ASSERT_EQ(out[static_cast<size_t>(k)], stored_value(*layout, panel, kWide, r, k)) << layout->name << ' ' << q;
        }
      }
    }
  }
}

// One element at row 3, column 37 of 40: where docs/layouts.md says it lies.
TEST(Layout, BytesAsDocumented) {
  constexpr int64_t kWide = 40, kAt = 3 * kWide + 37;
  const auto packed = [&](LayoutId id) {
    const Layout& layout = layout_of(id);
    std::vector<float> values(kPanelRows * kWide);
    std::vector<int8_t> codes(kPanelRows * kWide);
    std::vector<uint16_t> scales(static_cast<size_t>(kPanelRows * layout.groups(kWide)));
    values[kAt] = 1.0f;
    codes[kAt] = 5;
    if (!scales.empty()) scales[static_cast<size_t>(3 * layout.groups(kWide) + layout.groups(kWide) - 1)] = 0x3c00;
    std::vector<std::byte> bytes(static_cast<size_t>(layout.panel_bytes(kWide)));
    layout.pack_panel({kWide, values.data(), codes.data(), scales.data()}, bytes);
    return bytes;
  };
  EXPECT_EQ(packed(LayoutId::f32)[4 * (16 * 37 + 3) + 3], std::byte{0x3f});
  EXPECT_EQ(packed(LayoutId::f16)[2 * (16 * 37 + 3) + 1], std::byte{0x3c});
  EXPECT_EQ(packed(LayoutId::bf16)[2 * (32 * 18 + 2 * 3 + 1) + 1], std::byte{0x3f});
  const auto int8 = packed(LayoutId::int8_block32);
  EXPECT_EQ(int8[39], std::byte{0x3c});
  EXPECT_EQ(int8[64 + 64 * 9 + 4 * 3 + 1], std::byte{128 + 5});
  EXPECT_EQ(int8[64 + 64 * 9 + 4 * 3 + 2], std::byte{128});
  const auto int4 = packed(LayoutId::int4_block32);
  EXPECT_EQ(int4[39], std::byte{0x3c});
  EXPECT_EQ(int4[333], std::byte{(8 + 5) << 4 | 8});
  EXPECT_EQ(int4[332], std::byte{0x88});
  EXPECT_EQ(packed(LayoutId::int4_channel)[2 * 3 + 1], std::byte{0x3c});
}

// A decoded weight is exactly float(q) * scale: the product needs no rounding, so every kernel agrees on it.
TEST(Layout, DecodedProductIsExact) {
  for (uint32_t code = 0; code < 0x7c00; code += 7) {
    const float scale = f16_to_f32(static_cast<uint16_t>(code));
    for (const int q : {-128, -127, -3, 1, 7, 113, 127}) {
      EXPECT_EQ(static_cast<double>(static_cast<float>(q) * scale),
                static_cast<double>(q) * static_cast<double>(scale));
    }
  }
}

TEST(Layout, RowsOrderDecodesUnalignedData) {
  Rng rng(9);
  constexpr int64_t kRows = 5, kWide = 33;
  for (const Layout* layout : all_layouts()) {
    if (!layout->is_float()) continue;
    for (const size_t shift : {0u, 1u, 2u}) {
      const auto bytes = static_cast<size_t>(layout->bytes(kRows, kWide, Order::rows));
      std::vector<std::byte> memory(bytes + shift);
      std::vector<float> expected;
      for (int64_t i = 0; i < kRows * kWide; ++i) {
        const auto value = static_cast<float>(rng.normal());
        std::byte* to = memory.data() + shift + static_cast<size_t>(i * layout->bits / 8);
        const uint16_t half = layout->id == LayoutId::f16 ? f32_to_f16(value) : f32_to_bf16(value);
        if (layout->bits == 32) std::memcpy(to, &value, 4);
        if (layout->bits == 16) std::memcpy(to, &half, 2);
        expected.push_back(layout->bits == 32            ? value
                           : layout->id == LayoutId::f16 ? f16_to_f32(half)
                                                         : bf16_to_f32(half));
      }
      const WeightView view = {layout, Order::rows, kRows, kWide, std::span(memory).subspan(shift)};
      std::vector<float> out(kWide);
      for (int64_t r = 0; r < kRows; ++r) {
        decode_row(view, r, out.data());
        for (int64_t k = 0; k < kWide; ++k)
          ASSERT_EQ(out[static_cast<size_t>(k)], expected[static_cast<size_t>(r * kWide + k)]);
      }
    }
  }
}

TEST(Layout, DecodeRowFindsTheSecondPanel) {
  Rng rng(10);
  constexpr int64_t kWide = 172;
  for (const Layout* layout : all_layouts()) {
    const Panel first = random_panel(*layout, kWide, rng), second = random_panel(*layout, kWide, rng);
    std::vector<std::byte> both = first.bytes;
    both.insert(both.end(), second.bytes.begin(), second.bytes.end());
    const WeightView view = {layout, Order::panel16, 20, kWide, both};
    std::vector<float> out(kWide);
    decode_row(view, 19, out.data());
    for (int64_t k = 0; k < kWide; ++k)
      ASSERT_EQ(out[static_cast<size_t>(k)], stored_value(*layout, second, kWide, 3, k));
  }
}

}  // namespace
}  // namespace halftone
