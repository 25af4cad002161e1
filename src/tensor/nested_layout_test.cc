// SPDX-License-Identifier: Apache-2.0
// Bytes of the layouts that imports bring, written out by hand as docs/layouts.md says.
#include <gtest/gtest.h>

#include <vector>

#include "tensor/dtype.h"
#include "tensor/layout.h"

namespace halftone {
namespace {

// Codes of 5 bits in the upper bits of others, and of 2 bits.
TEST(Layout, BytesOfFiveAndTwoBitsAsDocumented) {
  constexpr int64_t kWide = 64;
  const auto packed = [&](LayoutId id, int64_t k, int code) {
    const Layout& layout = layout_of(id);
    std::vector<int8_t> codes(kPanelRows * kWide, static_cast<int8_t>(-layout.offset));  // stored as zeros
    codes[static_cast<size_t>(3 * kWide + k)] = static_cast<int8_t>(code - layout.offset);
    const std::vector<uint16_t> scales(static_cast<size_t>(kPanelRows * layout.groups(kWide)));
    std::vector<std::byte> bytes(static_cast<size_t>(layout.panel_bytes(kWide)));
    layout.pack_panel({kWide, nullptr, codes.data(), scales.data(), scales.data()}, bytes);
    return std::vector<std::byte>(bytes.begin() + layout.scale_bytes(kWide), bytes.end());
  };
  constexpr int64_t kAt = 320 * 1 + 4 * 3 + 1;                   // unit 1, row 3, the second of four columns
  const auto low = packed(LayoutId::int5_block32, 49, 0b10110);  // quad 4: vector 4
  EXPECT_EQ(low[kAt + 64 * 4], std::byte{0b10110});
  const auto five = packed(LayoutId::int5_block32, 53, 0b10110);  // quad 5: 110 above vector 0, 10 above vector 1
  EXPECT_EQ(five[kAt + 64 * 0], std::byte{0b110 << 5});
  EXPECT_EQ(five[kAt + 64 * 1], std::byte{0b10 << 5});
  const auto six = packed(LayoutId::uint5_affine64, 57, 0b01101);  // quad 6: 101 above vector 2, 01 above vector 3
  EXPECT_EQ(six[kAt + 64 * 2], std::byte{0b101 << 5});
  EXPECT_EQ(six[kAt + 64 * 3], std::byte{0b01 << 5});
  const auto seven = packed(LayoutId::uint5_affine64, 61, 0b11001);  // quad 7: 001 above 4, the top bits of 1 and 3
  EXPECT_EQ(seven[kAt + 64 * 4], std::byte{0b001 << 5});
  EXPECT_EQ(seven[kAt + 64 * 1], std::byte{1 << 7});
  EXPECT_EQ(seven[kAt + 64 * 3], std::byte{1 << 7});
  const auto two = packed(LayoutId::uint2_affine32, 37, 3);  // unit 2, quad 1
  EXPECT_EQ(two[64 * 2 + 4 * 3 + 1], std::byte{3 << 2});
  const auto top = packed(LayoutId::uint2_affine32, 45, 2);  // unit 2, quad 3
  EXPECT_EQ(top[64 * 2 + 4 * 3 + 1], std::byte{2 << 6});
}

// Row 3, column 256 + 37: the second 256 columns.
TEST(Layout, BytesOfNestedScalesAsDocumented) {
  constexpr int64_t kWide = 512;
  const auto packed = [&](LayoutId id) {
    const Layout& layout = layout_of(id);
    std::vector<int8_t> codes(kPanelRows * kWide);
    std::vector<uint16_t> scales(kPanelRows * 2), bases(kPanelRows * 2);
    std::vector<uint8_t> sub_scales(static_cast<size_t>(kPanelRows * layout.groups(kWide))),
        sub_bases(sub_scales.size());
    codes[3 * kWide + 293] = 5;
    scales[3 * 2 + 1] = 0x3c00;
    bases[3 * 2 + 1] = 0x3800;
    const auto group = static_cast<size_t>(3 * layout.groups(kWide) + 293 / layout.group);
    sub_scales[group] = 0xfb;  // -5 where signed
    sub_bases[group] = 40;
    std::vector<std::byte> bytes(static_cast<size_t>(layout.panel_bytes(kWide)));
    layout.pack_panel({kWide, nullptr, codes.data(), scales.data(), bases.data(), sub_scales.data(), sub_bases.data()},
                      bytes);
    std::vector<float> row(kWide);
    layout.decode_row(bytes, 3, kWide, row.data());
    for (int r = 0; r < kPanelRows; ++r) {  // every number of the file comes back
      for (int64_t i = 0; i < 2; ++i) {
        EXPECT_EQ(half_at(bytes, layout.scale_at(i, r)), f16_to_f32(scales[static_cast<size_t>(r * 2 + i)]));
        if (!layout.affine) continue;
        EXPECT_EQ(half_at(bytes, layout.base_at(i, r)), f16_to_f32(bases[static_cast<size_t>(r * 2 + i)]));
      }
      for (int64_t g = 0; g < layout.groups(kWide); ++g) {
        const auto from = static_cast<size_t>(r * layout.groups(kWide) + g);
        EXPECT_EQ(bytes[static_cast<size_t>(layout.sub_scale_at(g, r))], std::byte{sub_scales[from]});
        if (!layout.affine) continue;
        EXPECT_EQ(bytes[static_cast<size_t>(layout.sub_base_at(g, r))], std::byte{sub_bases[from]});
      }
    }
    EXPECT_EQ(row[293], layout.affine ? (5 + layout.offset) * 251.0f - 20 : 5 * -5.0f);
    return bytes;
  };
  const auto four = packed(LayoutId::uint4_k32);  // 320 bytes per 256 columns
  EXPECT_EQ(four[320 + 2 * 3 + 1], std::byte{0x3c});
  EXPECT_EQ(four[320 + 32 + 2 * 3 + 1], std::byte{0x38});
  EXPECT_EQ(four[320 + 64 + 32 * 1 + 3], std::byte{0xfb});
  EXPECT_EQ(four[320 + 64 + 32 * 1 + 16 + 3], std::byte{40});
  EXPECT_EQ(four[640 + 64 * (293 / 8) + 4 * 3 + 1], std::byte{(8 + 5) << 4 | 8});
  const auto five = packed(LayoutId::uint5_k32);
  EXPECT_EQ(five[320 + 64 + 32 * 1 + 3], std::byte{0xfb});
  EXPECT_EQ(five[640 + 320 * 9 + 64 * 1 + 4 * 3 + 1] & std::byte{31}, std::byte{16 + 5});
  const auto six = packed(LayoutId::int6_k16);  // 288 bytes per 256 columns
  EXPECT_EQ(six[288 + 2 * 3 + 1], std::byte{0x3c});
  EXPECT_EQ(six[288 + 32 + 16 * 2 + 3], std::byte{0xfb});
  EXPECT_EQ(six[576 + 192 * 18 + 64 * 1 + 4 * 3 + 1] & std::byte{63}, std::byte{32 + 5});
}

// Both levels times a code fit a float: 11 + 8 + 5 bits.
TEST(Layout, NestedProductsAreExact) {
  for (uint32_t half = 1; half < 0x7c00; half += 7) {
    const float d = f16_to_f32(static_cast<uint16_t>(half));
    for (const int sub : {-128, -127, -3, 1, 63, 113, 255}) {
      for (const int q : {-32, -31, 1, 13, 31}) {
        EXPECT_EQ(static_cast<double>(static_cast<float>(q) * (d * static_cast<float>(sub))),
                  static_cast<double>(q) * sub * static_cast<double>(d));
      }
    }
  }
}

}  // namespace
}  // namespace halftone
