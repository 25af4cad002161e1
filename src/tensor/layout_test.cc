// SPDX-License-Identifier: Apache-2.0
// Walks the registry: a layout added to the table is tested here without a new line.
#include "tensor/layout.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
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
  std::vector<uint16_t> scales, bases, palettes;
  std::vector<uint8_t> sub_scales, sub_bases;
  std::vector<std::byte> bytes;
  PanelSource source(int64_t columns) const {
    return {columns,      values.data(),     codes.data(),     scales.data(),
            bases.data(), sub_scales.data(), sub_bases.data(), palettes.data()};
  }
  // What precedes the panels of a matrix.
  std::span<const std::byte> head(const Layout& layout) const {
    return std::as_bytes(std::span(palettes)).first(static_cast<size_t>(layout.head_bytes()));
  }
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
    for (int64_t i = 0; i < kPanelRows * columns; ++i)  // rows of a vector have the codes of its first
      panel.codes[static_cast<size_t>(i)] = panel.codes[static_cast<size_t>(i - i / columns % layout.vector * columns)];
    for (int64_t i = 0; i < kPanelRows * layout.scale_count(columns); ++i) {
      panel.scales.push_back(f32_to_f16(static_cast<float>(rng.normal())));
      panel.bases.push_back(f32_to_f16(static_cast<float>(rng.normal())));
    }
    for (int64_t i = 0; layout.is_nested() && i < kPanelRows * layout.groups(columns); ++i) {
      panel.sub_scales.push_back(static_cast<uint8_t>(rng.below(256)));
      panel.sub_bases.push_back(static_cast<uint8_t>(rng.below(256)));
    }
    for (int i = 0; layout.is_palette() && i < layout.panel_palettes() * layout.numbers(); ++i)
      panel.palettes.push_back(f32_to_f16(static_cast<float>(rng.normal())));
  }
  panel.bytes.assign(static_cast<size_t>(layout.panel_bytes(columns)), std::byte{0xa5});
  layout.pack_panel(panel.source(columns), panel.bytes);
  return panel;
}

float stored_value(const Layout& layout, const Panel& panel, int64_t columns, int r, int64_t k) {
  const auto at = static_cast<size_t>(r * columns + k);
  if (layout.id == LayoutId::f32) return panel.values[at];
  if (layout.id == LayoutId::f16) return rounded_to_f16(panel.values[at]);
  if (layout.id == LayoutId::bf16) return bf16_to_f32(f32_to_bf16(panel.values[at]));
  if (layout.is_palette()) {
    const int shared = layout.palette_rows == 0 || layout.palette_rows == 32 ? 16 : layout.palette_rows;
    const int entry = r / shared * (1 << layout.bits) + panel.codes[at] + (1 << layout.bits) / 2;
    const float value = f16_to_f32(panel.palettes[static_cast<size_t>(entry * layout.vector + r % layout.vector)]);
    return layout.scaled ? value * f16_to_f32(panel.scales[static_cast<size_t>(r)]) : value;
  }
  const int64_t width = layout.is_nested() ? layout.super : layout.group;
  const auto number = static_cast<size_t>(r * layout.scale_count(columns) + (width == 0 ? 0 : k / width));
  float scale = f16_to_f32(panel.scales[number]), base = f16_to_f32(panel.bases[number]);
  if (layout.is_nested()) {
    const auto group = static_cast<size_t>(r * layout.groups(columns) + k / layout.group);
    const uint8_t sub = panel.sub_scales[group];
    scale *= static_cast<float>(layout.affine ? sub : static_cast<int8_t>(sub));
    base *= -static_cast<float>(panel.sub_bases[group]);
  }
  if (!layout.affine) return static_cast<float>(panel.codes[at]) * scale;
  return static_cast<float>(panel.codes[at] + layout.offset) * scale + base;
}

TEST(Layout, TableAgreesWithIds) {
  int index = 0;
  for (const Layout* layout : all_layouts()) {
    EXPECT_EQ(static_cast<int>(layout->id), index++);
    EXPECT_EQ(&layout_of(layout->id), layout);
    EXPECT_EQ(find_layout(layout->name), layout);
    EXPECT_EQ(layout->q_min, layout->affine || layout->is_palette() ? -layout->offset : -layout->q_max);
    if (!layout->is_float()) {
      EXPECT_EQ(layout->offset, 1 << (layout->bits - 1));
      EXPECT_EQ(layout->q_max, layout->offset - 1);
      EXPECT_EQ(layout->unit / layout->vector * kPanelRows * layout->bits % (8 * 64), 0)
          << layout->name;  // units are whole vectors
    }
  }
  EXPECT_EQ(index, static_cast<int>(LayoutId::lut8v4_tensor_scaled) + 1);
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
  EXPECT_EQ(panel(LayoutId::int4_block64, 16, 172), 3 * 32 + 32 + 176 * 8);
  EXPECT_EQ(panel(LayoutId::int4_block128, 16, 4096), 32 * 32 + 4096 * 8);
  EXPECT_EQ(panel(LayoutId::int3_block32, 16, 172), 6 * 32 + 192 * 6);
  EXPECT_EQ(panel(LayoutId::int6_block32, 16, 172), 6 * 32 + 176 * 12);
  EXPECT_EQ(panel(LayoutId::uint4_affine64, 16, 172), 3 * 64 + 176 * 8);
  EXPECT_EQ(panel(LayoutId::uint8_affine128, 16, 172), 2 * 64 + 176 * 16);
  EXPECT_EQ(panel(LayoutId::int5_block32, 16, 172), 6 * 32 + 192 * 10);
  EXPECT_EQ(panel(LayoutId::uint2_affine64, 16, 172), 3 * 64 + 176 * 4);
  EXPECT_EQ(panel(LayoutId::uint4_k32, 16, 512), 2 * 320 + 512 * 8);
  EXPECT_EQ(panel(LayoutId::uint5_k32, 16, 256), 320 + 256 * 10);
  EXPECT_EQ(panel(LayoutId::int6_k16, 16, 512), 2 * 288 + 512 * 12);
  EXPECT_EQ(panel(LayoutId::int6_k16, 16, 172), 288 + 32 + 176 * 12);
  EXPECT_EQ(panel(LayoutId::lut4_tensor, 16, 172), 64 + 176 * 8);
  EXPECT_EQ(panel(LayoutId::lut4_group16_scaled, 17, 172), 2 * (64 + 176 * 8));
  EXPECT_EQ(panel(LayoutId::lut4_group8, 16, 172), 64 + 176 * 8);
  EXPECT_EQ(panel(LayoutId::lut4_group1, 16, 172), 16 * 32 + 176 * 8);
  EXPECT_EQ(panel(LayoutId::lut6_group32, 40, 172), 3 * (128 + 176 * 12));
  EXPECT_EQ(panel(LayoutId::lut6_group16_scaled, 16, 172), 128 + 64 + 176 * 12);
  EXPECT_EQ(panel(LayoutId::lut8_group4, 16, 172), 4 * 512 + 176 * 16);
  EXPECT_EQ(panel(LayoutId::lut1_group16, 16, 172), 64 + 192 * 2);
  EXPECT_EQ(panel(LayoutId::lut2_tensor_scaled, 16, 172), 64 + 176 * 4);
  EXPECT_EQ(panel(LayoutId::lut3_group4, 16, 172), 64 + 192 * 6);
  EXPECT_EQ(panel(LayoutId::lut6v2_tensor, 33, 172), 256 + 3 * (192 * 6));
  EXPECT_EQ(panel(LayoutId::lut6v2_tensor_scaled, 16, 172), 256 + 64 + 192 * 6);
  EXPECT_EQ(panel(LayoutId::lut6v2_group16, 17, 64), 2 * (256 + 64 * 6));
  EXPECT_EQ(panel(LayoutId::lut8v2_tensor, 16, 4096), 1024 + 4096 * 8);
  EXPECT_EQ(panel(LayoutId::lut8v4_tensor, 40, 172), 2048 + 3 * (192 * 4));
  EXPECT_EQ(layout_of(LayoutId::lut6_group8).palette_bytes(), 2 * 128);
  EXPECT_EQ(layout_of(LayoutId::uint4_k32).row_scale_bytes(512), 2 * (2 + 2 + 8 + 8));
  EXPECT_EQ(layout_of(LayoutId::int6_k16).row_scale_bytes(300), 2 * 2 + 19);
  EXPECT_EQ(layout_of(LayoutId::uint4_affine64).row_scale_bytes(172), 3 * 4);
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
      std::vector<int8_t> codes(static_cast<size_t>(columns + 1), 99);
      for (int r = 0; r < kPanelRows; ++r) {
        layout->decode_row(panel.bytes, r, columns, out.data(), panel.head(*layout));
        for (int64_t k = 0; k < columns; ++k) {
          ASSERT_EQ(out[static_cast<size_t>(k)], stored_value(*layout, panel, columns, r, k)) << r << ' ' << k;
        }
        ASSERT_EQ(out.back(), -77.0f) << "wrote past the row";
        if (layout->is_float()) continue;
        layout->unpack_codes(panel.bytes, r, columns, codes.data());
        ASSERT_EQ(codes.back(), 99) << "wrote past the row";
        for (int64_t k = 0; k < columns; ++k)
          ASSERT_EQ(codes[static_cast<size_t>(k)], panel.codes[static_cast<size_t>(r * columns + k)]);
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
      layout->pack_panel(panel.source(columns), again);
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
      for (int64_t i = 0; i < kPanelRows * layout->groups(kWide); ++i) {
        panel.scales.push_back(some[static_cast<size_t>(i) % 5]);
        panel.bases.push_back(some[static_cast<size_t>(i / 5) % 5]);
        panel.sub_scales.push_back(static_cast<uint8_t>(i * 37 + q));
        panel.sub_bases.push_back(static_cast<uint8_t>(i * 91 + q));
      }
      for (int i = 0; layout->is_palette() && i < layout->panel_palettes() * layout->numbers(); ++i)
        panel.palettes.push_back(static_cast<uint16_t>(some[static_cast<size_t>(i) % 4] + i));
      panel.bytes.resize(static_cast<size_t>(layout->panel_bytes(kWide)));
      layout->pack_panel(panel.source(kWide), panel.bytes);
      std::vector<float> out(kWide);
      for (int r = 0; r < kPanelRows; ++r) {
        layout->decode_row(panel.bytes, r, kWide, out.data(), panel.head(*layout));
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
    std::vector<uint16_t> scales(static_cast<size_t>(kPanelRows * layout.groups(kWide))), bases(scales.size());
    values[kAt] = 1.0f;
    codes[kAt] = static_cast<int8_t>(layout.bits == 3 ? 2 : 5);
    if (!scales.empty()) scales[static_cast<size_t>(3 * layout.groups(kWide) + layout.groups(kWide) - 1)] = 0x3c00;
    if (layout.affine) bases[static_cast<size_t>(3 * layout.groups(kWide) + layout.groups(kWide) - 1)] = 0xb800;
    std::vector<std::byte> bytes(static_cast<size_t>(layout.panel_bytes(kWide)));
    layout.pack_panel({kWide, values.data(), codes.data(), scales.data(), bases.data()}, bytes);
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
  const auto affine = packed(LayoutId::uint4_affine32);
  EXPECT_EQ(affine[64 + 2 * 3 + 1], std::byte{0x3c});       // scale of the second group
  EXPECT_EQ(affine[64 + 32 + 2 * 3 + 1], std::byte{0xb8});  // its base
  EXPECT_EQ(affine[128 + 64 * 4 + 4 * 3 + 1], std::byte{(8 + 5) << 4 | 8});
}

// The same element in units of 16 and 32 columns, and the codes whose bits are spread over three bytes.
TEST(Layout, BytesOfUnevenBitsAsDocumented) {
  constexpr int64_t kWide = 64;
  const auto packed = [&](LayoutId id, int64_t k, int8_t code) {
    const Layout& layout = layout_of(id);
    std::vector<int8_t> codes(kPanelRows * kWide, static_cast<int8_t>(-layout.offset));  // stored as zeros
    codes[static_cast<size_t>(3 * kWide + k)] = code;
    const std::vector<uint16_t> scales(static_cast<size_t>(kPanelRows * layout.groups(kWide)));
    std::vector<std::byte> bytes(static_cast<size_t>(layout.panel_bytes(kWide)));
    layout.pack_panel({kWide, nullptr, codes.data(), scales.data()}, bytes);
    return std::vector<std::byte>(bytes.begin() + layout.scale_bytes(kWide), bytes.end());
  };
  const auto six = packed(LayoutId::int6_block32, 37, 5);  // unit 2, quad 1, byte 1: one byte
  EXPECT_EQ(six[192 * 2 + 64 * 1 + 4 * 3 + 1], std::byte{32 + 5});
  const auto spread = packed(LayoutId::int6_block32, 45, 32 - 5);  // unit 2, quad 3: 59 = 11 10 11 in binary
  EXPECT_EQ(spread[192 * 2 + 64 * 0 + 4 * 3 + 1], std::byte{3 << 6});
  EXPECT_EQ(spread[192 * 2 + 64 * 1 + 4 * 3 + 1], std::byte{2 << 6});
  EXPECT_EQ(spread[192 * 2 + 64 * 2 + 4 * 3 + 1], std::byte{3 << 6});
  const auto three = packed(LayoutId::int3_block32, 37, 2);  // unit 1, quad 1: the upper three bits of pair 0
  EXPECT_EQ(three[192 * 1 + 64 * 0 + 4 * 3 + 1], std::byte{(4 + 2) << 3});
  const auto pair = packed(LayoutId::int3_block32, 61, 1);  // unit 1, quad 7: the upper three bits of pair 3, 10 10 00
  EXPECT_EQ(pair[192 * 1 + 64 * 0 + 4 * 3 + 1], std::byte{0});
  EXPECT_EQ(pair[192 * 1 + 64 * 1 + 4 * 3 + 1], std::byte{2 << 6});
  EXPECT_EQ(pair[192 * 1 + 64 * 2 + 4 * 3 + 1], std::byte{2 << 6});
}

// Palettes: entries of two rows, the scale of one, and codes of one bit.
TEST(Layout, BytesOfPalettesAsDocumented) {
  constexpr int64_t kWide = 64;
  const auto packed = [&](LayoutId id, int64_t k, int8_t code) {
    const Layout& layout = layout_of(id);
    std::vector<int8_t> codes(kPanelRows * kWide, static_cast<int8_t>(-layout.offset));
    codes[static_cast<size_t>(3 * kWide + k)] = code;
    std::vector<uint16_t> scales(kPanelRows), palettes;
    scales[3] = 0x4200;
    for (int i = 0; i < layout.panel_palettes() * layout.entries(); ++i)
      palettes.push_back(static_cast<uint16_t>(0x1000 + i));
    std::vector<std::byte> bytes(static_cast<size_t>(layout.panel_bytes(kWide)));
    PanelSource source = {kWide, nullptr, codes.data(), scales.data()};
    source.palettes = palettes.data();
    layout.pack_panel(source, bytes);
    return bytes;
  };
  const auto four = packed(LayoutId::lut4_group4, 37, 13 - 8);  // rows 0..3: palette 0, rows 4..7: palette 1
  EXPECT_EQ(four[2 * 13], std::byte{13});
  EXPECT_EQ(four[2 * 13 + 1], std::byte{0x10});
  EXPECT_EQ(four[2 * (16 + 2)], std::byte{16 + 2});
  EXPECT_EQ(four[4 * 32 + 64 * (37 / 8) + 4 * 3 + 1], std::byte{13 << 4});
  const auto scaled = packed(LayoutId::lut6_tensor_scaled, 37, 59 - 32);
  EXPECT_EQ(scaled[128 + 2 * 3 + 1], std::byte{0x42});  // after 64 entries; codes begin at byte 192
  EXPECT_EQ(scaled[192 + 192 * 2 + 64 * 1 + 4 * 3 + 1], std::byte{59});
  const auto one = packed(LayoutId::lut1_group16, 61, 0);  // unit 1, quad 7
  EXPECT_EQ(one[64 + 64 * 1 + 4 * 3 + 1], std::byte{1 << 7});
  float row[kWide];
  layout_of(LayoutId::lut6_tensor_scaled).decode_row(scaled, 3, kWide, row);
  EXPECT_EQ(row[37], f16_to_f32(0x1000 + 59) * 3);
  EXPECT_EQ(row[38], f16_to_f32(0x1000) * 3);
}

// An entry times a scale is exact: 11 + 11 significant bits.
TEST(Layout, ScaledEntryIsExact) {
  for (uint32_t entry = 0; entry < 0x7c00; entry += 61)
    for (uint32_t scale = 0; scale < 0x7c00; scale += 97) {
      const float a = f16_to_f32(static_cast<uint16_t>(entry)), b = f16_to_f32(static_cast<uint16_t>(scale));
      ASSERT_EQ(static_cast<double>(a * b), static_cast<double>(a) * static_cast<double>(b));
    }
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

// A fused and an unfused step from code to affine weight round to the same float: the product is representable.
TEST(Layout, AffineWeightIsRoundedOnce) {
  Rng rng(12);
  for (int i = 0; i < 20000; ++i) {
    const float scale = f16_to_f32(static_cast<uint16_t>(rng.below(0x7c00)));
    const float base = f16_to_f32(static_cast<uint16_t>(rng.below(0x7c00) | 0x8000));
    const auto code = static_cast<float>(rng.below(256));
    EXPECT_EQ(std::fma(code, scale, base), code * scale + base);
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
    const std::span<const std::byte> head = second.head(*layout);
    std::vector<std::byte> both(head.begin(), head.end());
    both.insert(both.end(), first.bytes.begin(), first.bytes.end());
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
