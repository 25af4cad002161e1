// SPDX-License-Identifier: Apache-2.0
#include "export/blocks.h"

#include <cstring>

#include "base/error.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr uint16_t kHalfExponentBits = 0x7c00;

struct BlockKind {
  GgmlTypeId type;
  int bits;
  bool affine;
  LayoutId like;                                                // the layout whose rows are the type's blocks
  void (*pack)(const int8_t*, uint16_t, uint16_t, std::byte*);  // null: a super-block
  void (*pack_super)(const KBlock&, std::byte*);
};

constexpr BlockKind kBlockKinds[] = {
    {GgmlTypeId::q4_0, 4, false, LayoutId::int4_block32, pack_q4_0, nullptr},
    {GgmlTypeId::q4_1, 4, true, LayoutId::uint4_affine32, pack_q4_1, nullptr},
    {GgmlTypeId::q5_0, 5, false, LayoutId::int5_block32, pack_q5_0, nullptr},
    {GgmlTypeId::q5_1, 5, true, LayoutId::uint5_affine32, pack_q5_1, nullptr},
    {GgmlTypeId::q8_0, 8, false, LayoutId::int8_block32, pack_q8_0, nullptr},
    {GgmlTypeId::q4_k, 4, true, LayoutId::uint4_k32, nullptr, pack_q4_k},
    {GgmlTypeId::q5_k, 5, true, LayoutId::uint5_k32, nullptr, pack_q5_k},
    {GgmlTypeId::q6_k, 6, false, LayoutId::int6_k16, nullptr, pack_q6_k},
};

const BlockKind* kind_of(const GgmlType& type) {
  for (const BlockKind& kind : kBlockKinds)
    if (static_cast<uint32_t>(kind.type) == type.id) return &kind;
  return nullptr;
}

// The panel that holds a row, and the row's lane in it.
struct Lane {
  std::span<const std::byte> panel;
  int lane;
};

Lane lane_of(const WeightView& view, int64_t row) {
  const auto bytes = static_cast<size_t>(view.layout->panel_bytes(view.columns));
  return {view.data.subspan(static_cast<size_t>(row / kPanelRows) * bytes, bytes), static_cast<int>(row % kPanelRows)};
}

uint16_t half_bits(const Lane& lane, int64_t at) {
  uint16_t bits;
  std::memcpy(&bits, lane.panel.data() + at, sizeof(bits));
  return bits;
}

Status check_half(const PlannedTensor& tensor, uint16_t bits, int64_t row, int64_t column) {
  if ((bits & kHalfExponentBits) != kHalfExponentBits) return {};
  return invalid_input(
      "[export] {}: tensor '{}': expected finite scales, got NaN or infinity at row {}, column {}; the file is damaged",
      tensor.source->file.string(), tensor.name, row, column);
}

// GGUF has 6 bits for what our layouts keep in bytes; imports and searches stay below.
Status check_factors(const PlannedTensor& tensor, const KBlock& parts, const Layout& layout, int64_t row,
                     int64_t column) {
  constexpr uint8_t kLargest = 63;
  for (int i = 0; layout.affine && i < 8; ++i)
    if (static_cast<uint8_t>(parts.scales[i]) > kLargest || parts.minima[i] > kLargest)
      return unsupported(
          "[export] {}: tensor '{}': expected factors up to {} as {} has them, got more at row {}, column {}",
          tensor.source->file.string(), tensor.name, kLargest, tensor.type->name, row, column);
  return {};
}

// Codes of fewer bits in a type of more: an affine code counts from zero, a symmetric one from the middle.
int code_shift(const Layout& layout, const BlockKind& kind) {
  return kind.affine ? layout.offset - (1 << (kind.bits - 1)) : 0;
}

void read_super_block(const Layout& layout, const Lane& lane, int64_t block, const int8_t* codes, KBlock& out) {
  const int64_t width = layout.group, groups = layout.super / width;
  out.scale_bits = half_bits(lane, layout.scale_at(block, lane.lane));
  out.minimum_bits = layout.affine ? half_bits(lane, layout.base_at(block, lane.lane)) : uint16_t{0};
  out.scale = f16_to_f32(out.scale_bits);
  out.minimum = f16_to_f32(out.minimum_bits);
  for (int64_t k = 0; k < kGgmlSuperBlock; ++k) out.codes[k] = static_cast<uint8_t>(codes[k] + layout.offset);
  for (int64_t i = 0; i < groups; ++i) {
    const int64_t group = block * groups + i;
    out.scales[i] = static_cast<int8_t>(lane.panel[static_cast<size_t>(layout.sub_scale_at(group, lane.lane))]);
    out.minima[i] = layout.affine
                        ? static_cast<uint8_t>(lane.panel[static_cast<size_t>(layout.sub_base_at(group, lane.lane))])
                        : uint8_t{0};
  }
}

}  // namespace

bool is_super_block(const GgmlType& type) {
  const BlockKind* kind = kind_of(type);
  return kind != nullptr && kind->pack_super != nullptr;
}

bool carries(const Layout& layout, const GgmlType& type) {
  const BlockKind* kind = kind_of(type);
  if (kind == nullptr || layout.is_float() || layout.is_palette()) return false;
  if (kind->pack_super != nullptr || layout.is_nested()) return layout.id == kind->like;
  return layout.affine == kind->affine && layout.bits <= kind->bits && layout.group % kGgmlBlock == 0;
}

Status carry_row(const PlannedTensor& tensor, int64_t row, BlockRow& out) {
  const WeightView view = tensor.source->view();
  const Layout& layout = *view.layout;
  const BlockKind& kind = *kind_of(*tensor.type);
  const int64_t columns = tensor.columns(), from = tensor.source_row(row);
  const Lane lane = lane_of(view, from);
  out.codes.resize(static_cast<size_t>(columns));
  layout.unpack_codes(lane.panel, lane.lane, columns, out.codes.data());
  if (kind.pack_super != nullptr) {
    out.super_blocks.resize(static_cast<size_t>(columns / kGgmlSuperBlock));
    for (size_t block = 0; block < out.super_blocks.size(); ++block) {
      const auto at = static_cast<int64_t>(block);
      KBlock& parts = out.super_blocks[block];
      read_super_block(layout, lane, at, out.codes.data() + at * kGgmlSuperBlock, parts);
      HALFTONE_TRY(check_half(tensor, parts.scale_bits, from, at * kGgmlSuperBlock));
      HALFTONE_TRY(check_half(tensor, parts.minimum_bits, from, at * kGgmlSuperBlock));
      HALFTONE_TRY(check_factors(tensor, parts, layout, from, at * kGgmlSuperBlock));
    }
    return {};
  }
  const int64_t width = layout.group == 0 ? columns : layout.group;
  const int shift = code_shift(layout, kind);
  for (int8_t& code : out.codes) code = static_cast<int8_t>(code + shift);
  out.scales.resize(static_cast<size_t>(columns / kGgmlBlock));
  out.bases.assign(out.scales.size(), 0);
  for (size_t block = 0; block < out.scales.size(); ++block) {
    const int64_t begin = static_cast<int64_t>(block) * kGgmlBlock;
    out.scales[block] = half_bits(lane, layout.scale_at(begin / width, lane.lane));
    if (layout.affine) out.bases[block] = half_bits(lane, layout.base_at(begin / width, lane.lane));
    HALFTONE_TRY(check_half(tensor, out.scales[block], from, begin));
    HALFTONE_TRY(check_half(tensor, out.bases[block], from, begin));
  }
  return {};
}

namespace {

// The row's super-blocks, as read_super_block has them from a panel.
void take_super_blocks(const Layout& layout, const SearchedRows::Row& row, std::vector<KBlock>& out) {
  const auto groups = static_cast<size_t>(layout.super / layout.group);
  out.resize(row.codes.size() / kGgmlSuperBlock);
  for (size_t block = 0; block < out.size(); ++block) {
    KBlock& parts = out[block];
    parts.scale_bits = row.scales[block];
    parts.minimum_bits = layout.affine ? row.bases[block] : uint16_t{0};
    parts.scale = f16_to_f32(parts.scale_bits);
    parts.minimum = f16_to_f32(parts.minimum_bits);
    for (size_t k = 0; k < kGgmlSuperBlock; ++k)
      parts.codes[k] = static_cast<uint8_t>(row.codes[block * kGgmlSuperBlock + k] + layout.offset);
    for (size_t i = 0; i < groups; ++i) {
      parts.scales[i] = static_cast<int8_t>(row.sub_scales[block * groups + i]);
      parts.minima[i] = layout.affine ? row.sub_bases[block * groups + i] : uint8_t{0};
    }
  }
}

}  // namespace

const Layout& layout_like(const GgmlType& type) { return layout_of(kind_of(type)->like); }

Status take_row(const PlannedTensor& tensor, int64_t row, const SearchedRows::Row& from, BlockRow& out) {
  const Layout& layout = layout_like(*tensor.type);
  for (size_t i = 0; i < from.scales.size(); ++i) {
    const bool base_fits = from.bases.empty() || (from.bases[i] & kHalfExponentBits) != kHalfExponentBits;
    if (base_fits && (from.scales[i] & kHalfExponentBits) != kHalfExponentBits) continue;
    const auto width = static_cast<size_t>(layout.is_nested() ? layout.super : layout.group);
    return invalid_input(
        "[export] {}: tensor '{}': expected blocks whose scale fits f16, got too large weights at row {} from column "
        "{} on; choose --type bf16 or f32",
        tensor.source->file.string(), tensor.name, tensor.source_row(row), i * width);
  }
  if (layout.is_nested()) {
    take_super_blocks(layout, from, out.super_blocks);
    return {};
  }
  out.codes.assign(from.codes.begin(), from.codes.end());
  out.scales.assign(from.scales.begin(), from.scales.end());
  out.bases.assign(from.bases.begin(), from.bases.end());
  out.bases.resize(out.scales.size());
  return {};
}

void pack_row(const GgmlType& type, const BlockRow& row, std::byte* out) {
  const BlockKind& kind = *kind_of(type);
  if (kind.pack_super != nullptr) {
    for (const KBlock& parts : row.super_blocks) {
      kind.pack_super(parts, out);
      out += type.bytes;
    }
    return;
  }
  for (size_t block = 0; block < row.scales.size(); ++block, out += type.bytes)
    kind.pack(row.codes.data() + block * kGgmlBlock, row.scales[block], row.bases[block], out);
}

}  // namespace halftone
