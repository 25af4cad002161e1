// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include "tensor/dtype.h"
#include "tensor/layout.h"

namespace halftone {
namespace {

// Row 6 shares its codes with row 7, or with rows 4 to 7; its numbers are those of the head, or of the panel.
TEST(Layout, BytesOfVectorsAsDocumented) {
  constexpr int64_t kWide = 64;
  const auto packed = [&](LayoutId id, int64_t k, int8_t code) {
    const Layout& layout = layout_of(id);
    std::vector<int8_t> codes(kPanelRows * kWide, static_cast<int8_t>(-layout.offset));
    for (int r = 0; r < layout.vector; ++r)
      codes[static_cast<size_t>((6 / layout.vector * layout.vector + r) * kWide + k)] = code;
    std::vector<uint16_t> scales(kPanelRows), palettes;
    scales[6] = 0x4200;
    for (int i = 0; i < layout.numbers(); ++i) palettes.push_back(static_cast<uint16_t>(0x1000 + i));
    std::vector<std::byte> bytes(static_cast<size_t>(layout.panel_bytes(kWide)));
    PanelSource source = {kWide, nullptr, codes.data(), scales.data()};
    source.palettes = palettes.data();
    layout.pack_panel(source, bytes);
    float row[kWide];
    layout.decode_row(bytes, 6, kWide, row, std::as_bytes(std::span(palettes)));
    const int number = (code + layout.offset) * layout.vector + 6 % layout.vector;
    EXPECT_EQ(row[k], f16_to_f32(static_cast<uint16_t>(0x1000 + number)) * (layout.scaled ? 3.0f : 1.0f));
    return bytes;
  };
  // Columns 36 to 39 are quad 1 of the second 32, beside quad 0: lanes 8 to 15, of which rows 6 and 7 have number 3.
  const auto six = packed(LayoutId::lut6v2_tensor, 37, 59 - 32);
  EXPECT_EQ(six[192 * 1 + 64 * 0 + 4 * (8 + 3) + 1], std::byte{59});
  const auto own = packed(LayoutId::lut6v2_group16, 37, 59 - 32);  // after 64 pairs
  EXPECT_EQ(own[2 * 3], std::byte{3});
  EXPECT_EQ(own[256 + 192 * 1 + 64 * 0 + 4 * (8 + 3) + 1], std::byte{59});
  const auto scaled = packed(LayoutId::lut8v2_tensor_scaled, 37, 100);
  EXPECT_EQ(scaled[2 * 6 + 1], std::byte{0x42});
  EXPECT_EQ(scaled[64 + 64 * (37 / 8) + 4 * (8 + 3) + 1], std::byte{228});
  // Fours: columns 36 to 39 are the second of four quads that lie side by side, rows 4 to 7 number 1 of it.
  const auto four = packed(LayoutId::lut8v4_tensor, 37, -100);
  EXPECT_EQ(four[64 * (37 / 16) + 4 * (4 + 1) + 1], std::byte{28});
}

}  // namespace
}  // namespace halftone
