// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf/unpack.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "formats/gguf/blocks.h"
#include "formats/import/scales.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr uint16_t kExponentBits = 0x7c00;

// Blocks of 32 that begin with an f16 scale, and an f16 base where `kAffine`; `codes(block, out)` reads 32 codes.
template <int64_t kBytes, bool kAffine, auto kCodes>
GgufRowResult unpack_blocks(const std::byte* row, int64_t columns, const RowSlot& slot) {
  for (int64_t block = 0; block < columns / kGgmlBlock; ++block, row += kBytes) {
    const auto at = static_cast<size_t>(block);
    const uint16_t scale = half_bits_at(row);
    if ((scale & kExponentBits) == kExponentBits) return {0, block * kGgmlBlock, "scale", f16_to_f32(scale)};
    slot.scales[at] = scale;
    if constexpr (kAffine) {
      const uint16_t base = half_bits_at(row + 2);
      if ((base & kExponentBits) == kExponentBits) return {0, block * kGgmlBlock, "base", f16_to_f32(base)};
      slot.bases[at] = base;
    }
    kCodes(row, slot.codes.data() + block * kGgmlBlock);
  }
  return {};
}

template <int64_t kBytes>
GgufRowResult copy_floats(const std::byte* row, int64_t columns, const RowSlot& slot) {
  std::memcpy(slot.bytes.data(), row, static_cast<size_t>(columns * kBytes));
  return {};
}

// A power of two times an integer of at most 12: both fit an f16 and a code, unless the power is out of f16's range.
GgufRowResult unpack_mxfp4(const std::byte* row, int64_t columns, const RowSlot& slot) {
  for (int64_t block = 0; block < columns / kGgmlBlock; ++block, row += kMxfp4Bytes) {
    const auto codes = slot.codes.subspan(static_cast<size_t>(block * kGgmlBlock), kGgmlBlock);
    mxfp4_codes(row, codes.data());
    const auto scale = power_of_two_scale(static_cast<int>(row[0]) - 128, codes);
    if (!scale) return {0, block * kGgmlBlock, "scale", std::ldexp(1.0f, static_cast<int>(row[0]) - 127)};
    slot.scales[static_cast<size_t>(block)] = *scale;
  }
  return {};
}

// Super-blocks: f16 numbers of 256 columns, bytes of their groups, codes less half their range (our layouts' zero), or
// less `kZero` where fewer bits lie in a wider code.
template <int64_t kBytes, auto kRead, int kGroups, bool kAffine, int kZero>
GgufRowResult unpack_super_blocks(const std::byte* row, int64_t columns, const RowSlot& slot) {
  KBlock parts;
  for (int64_t block = 0; block < columns / kGgmlSuperBlock; ++block, row += kBytes) {
    kRead(row, parts);
    const auto at = static_cast<size_t>(block), first = at * kGroups, column = at * kGgmlSuperBlock;
    if (!std::isfinite(parts.scale)) return {0, block * kGgmlSuperBlock, "scale", parts.scale};
    if (!std::isfinite(parts.minimum)) return {0, block * kGgmlSuperBlock, "minimum", parts.minimum};
    slot.scales[at] = parts.scale_bits;
    if constexpr (kAffine) slot.bases[at] = parts.minimum_bits;
    for (size_t group = 0; group < kGroups; ++group) {
      slot.sub_scales[first + group] = static_cast<uint8_t>(parts.scales[group]);
      if constexpr (kAffine) slot.sub_bases[first + group] = parts.minima[group];
    }
    for (size_t k = 0; k < kGgmlSuperBlock; ++k) slot.codes[column + k] = static_cast<int8_t>(parts.codes[k] - kZero);
  }
  return {};
}

// The scale of 32 numbers is a product that an f16 cannot always hold.
GgufRowResult unpack_iq4_xs(const std::byte* row, int64_t columns, const RowSlot& slot) {
  GgufRowResult result;
  for (int64_t begin = 0; begin < columns; begin += kGgmlSuperBlock, row += kIq4XsBytes) {
    for (int64_t group = 0; group < kGgmlSuperBlock / kGgmlBlock; ++group) {
      const int64_t column = begin + group * kGgmlBlock;
      const float exact = iq4_xs_codes(row, static_cast<int>(group), slot.codes.data() + column);
      const uint16_t rounded = f32_to_f16(exact);
      if (!std::isfinite(f16_to_f32(rounded))) return {0, column, "scale", exact};
      slot.scales[static_cast<size_t>(column / kGgmlBlock)] = rounded;
      RoundingError error;
      error.add(exact, f16_to_f32(rounded));
      result.relative_error = std::max(result.relative_error, error.relative());
    }
  }
  return result;
}

// Types that no layout of codes holds: every number rounded to f16.
template <int64_t kBytes, auto kDecode>
GgufRowResult round_to_half(const std::byte* row, int64_t columns, const RowSlot& slot) {
  GgufRowResult result;
  float values[kGgmlSuperBlock];
  for (int64_t begin = 0; begin < columns; begin += kGgmlSuperBlock, row += kBytes) {
    kDecode(row, values);
    RoundingError error;
    for (int64_t k = 0; k < kGgmlSuperBlock; ++k) {
      const uint16_t bits = f32_to_f16(values[k]);
      if (!std::isfinite(f16_to_f32(bits))) return {0, begin + k, "weight", values[k]};
      std::memcpy(slot.bytes.data() + 2 * (begin + k), &bits, 2);
      error.add(values[k], f16_to_f32(bits));
    }
    result.relative_error = std::max(result.relative_error, error.relative());
  }
  return result;
}

constexpr std::array kUnpacks = {
    GgufUnpack{GgmlTypeId::f32, LayoutId::f32, copy_floats<4>, ""},
    GgufUnpack{GgmlTypeId::f16, LayoutId::f16, copy_floats<2>, ""},
    GgufUnpack{GgmlTypeId::bf16, LayoutId::bf16, copy_floats<2>, ""},
    GgufUnpack{GgmlTypeId::q4_0, LayoutId::int4_block32, unpack_blocks<18, false, q4_0_codes>, ""},
    GgufUnpack{GgmlTypeId::q4_1, LayoutId::uint4_affine32, unpack_blocks<20, true, q4_1_codes>, ""},
    GgufUnpack{GgmlTypeId::q5_0, LayoutId::int5_block32, unpack_blocks<22, false, q5_0_codes>, ""},
    GgufUnpack{GgmlTypeId::q5_1, LayoutId::uint5_affine32, unpack_blocks<24, true, q5_1_codes>, ""},
    GgufUnpack{GgmlTypeId::q4_k, LayoutId::uint4_k32, unpack_super_blocks<144, read_q4_k, 8, true, 8>, ""},
    GgufUnpack{GgmlTypeId::q5_k, LayoutId::uint5_k32, unpack_super_blocks<176, read_q5_k, 8, true, 16>, ""},
    GgufUnpack{GgmlTypeId::q6_k, LayoutId::int6_k16, unpack_super_blocks<210, read_q6_k, 16, false, 32>, ""},
    GgufUnpack{GgmlTypeId::q3_k, LayoutId::int6_k16, unpack_super_blocks<110, read_q3_k, 16, false, 4>,
               "its 3-bit codes in 6 bits: 6.56 bits per weight instead of 3.44"},
    GgufUnpack{GgmlTypeId::q8_0, LayoutId::int8_block32, unpack_blocks<34, false, q8_0_codes>, ""},
    GgufUnpack{GgmlTypeId::iq4_nl, LayoutId::int8_block32, unpack_blocks<18, false, iq4_nl_codes>,
               "its 16 values as 8-bit codes: 8.5 bits per weight instead of 4.5"},
    GgufUnpack{GgmlTypeId::iq4_xs, LayoutId::int8_block32, unpack_iq4_xs,
               "its 16 values as 8-bit codes, scales rounded to f16: 8.5 bits per weight instead of 4.25"},
    GgufUnpack{GgmlTypeId::mxfp4, LayoutId::int5_block32, unpack_mxfp4,
               "its 16 values as 5-bit codes: 5.5 bits per weight instead of 4.25"},
    GgufUnpack{GgmlTypeId::q2_k, LayoutId::f16, round_to_half<84, q2_k_values>,
               "no layout holds groups of 16 with bases, so weights are f16: 16 bits per weight instead of 2.63"},
};

}  // namespace

const GgufUnpack* find_gguf_unpack(const GgmlType& type) {
  for (const GgufUnpack& row : kUnpacks)
    if (static_cast<uint32_t>(row.type) == type.id) return &row;
  return nullptr;
}

std::string gguf_types_that_open() {
  std::vector<std::string_view> names;
  for (const GgufUnpack& row : kUnpacks) names.push_back(ggml_type(row.type).name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace halftone
