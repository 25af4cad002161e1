// SPDX-License-Identifier: Apache-2.0
#include "tensor/layout.h"

#include <cstring>

#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/layouts/layouts.h"

namespace halftone {
namespace {

// One row per layout, in the order of LayoutId.
constexpr int kFloatLayoutCount = 3;
#define HALFTONE_LAYOUT_POINTER(with, name, ...) &kIntegerLayouts[static_cast<int>(LayoutId::name) - kFloatLayoutCount],
constexpr const Layout* kLayouts[] = {&kLayoutF32, &kLayoutF16, &kLayoutBf16,
                                      HALFTONE_INTEGER_LAYOUTS(HALFTONE_LAYOUT_POINTER, )
                                          HALFTONE_PALETTE_LAYOUTS(HALFTONE_LAYOUT_POINTER, )
                                              HALFTONE_VECTOR_LAYOUTS(HALFTONE_LAYOUT_POINTER, )};
#undef HALFTONE_LAYOUT_POINTER

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const char left = a[i] == '-' ? '_' : a[i];
    const char right = b[i] == '-' ? '_' : b[i];
    if (left != right) return false;
  }
  return true;
}

void decode_float_row(const Layout& layout, const std::byte* data, int64_t columns, float* out) {
  if (layout.id == LayoutId::f32) {
    std::memcpy(out, data, static_cast<size_t>(columns) * sizeof(float));
    return;
  }
  for (int64_t k = 0; k < columns; ++k) {
    uint16_t bits;
    std::memcpy(&bits, data + 2 * k, 2);
    out[k] = layout.id == LayoutId::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
  }
}

}  // namespace

int64_t Layout::groups(int64_t columns) const {
  if (is_float()) return 0;
  return group == 0 ? 1 : (columns + group - 1) / group;
}

int64_t Layout::scale_count(int64_t columns) const {
  if (is_palette()) return scaled ? 1 : 0;
  return is_nested() ? (columns + super - 1) / super : groups(columns);
}

int64_t Layout::scale_stride() const {
  const int64_t bytes = is_nested() ? 2 + super / group : 2;  // of a row
  return bytes * (affine ? 2 : 1) * kPanelRows;
}

int64_t Layout::row_scale_bytes(int64_t columns) const {
  if (is_float()) return 0;
  return (2 * scale_count(columns) + (is_nested() ? groups(columns) : 0)) * (affine ? 2 : 1);
}

int64_t Layout::scale_bytes(int64_t columns) const {
  return is_float() ? 0 : round_up(scale_at(scale_count(columns), 0), kPanelAlignment);
}

int64_t Layout::sub_scale_at(int64_t group_number, int r) const {
  const int64_t groups = super / group, level = affine ? 2 : 1;
  return scale_at(group_number / groups, 0) + (2 + group_number % groups) * level * kPanelRows + r;
}

float Layout::scale_of(std::span<const std::byte> panel, int64_t group_number, int r) const {
  if (!is_nested()) return half_at(panel, scale_at(group_number, r));
  const auto byte = static_cast<uint8_t>(panel[static_cast<size_t>(sub_scale_at(group_number, r))]);
  const int sub = affine ? byte : static_cast<int8_t>(byte);
  return half_at(panel, scale_at(group_number / (super / group), r)) * static_cast<float>(sub);
}

float Layout::base_of(std::span<const std::byte> panel, int64_t group_number, int r) const {
  if (!is_nested()) return half_at(panel, base_at(group_number, r));
  const auto byte = static_cast<uint8_t>(panel[static_cast<size_t>(sub_base_at(group_number, r))]);
  return -(half_at(panel, base_at(group_number / (super / group), r)) * static_cast<float>(byte));
}

int64_t Layout::panel_bytes(int64_t columns) const {
  return scale_bytes(columns) + round_up(round_up(columns, unit) * kPanelRows * bits / 8 / vector, kPanelAlignment);
}

int64_t Layout::head_bytes() const { return shares_head() ? round_up(2 * numbers(), kPanelAlignment) : 0; }

int64_t Layout::bytes(int64_t rows, int64_t columns, Order order) const {
  if (order == Order::rows) {
    HALFTONE_CHECK(is_float());
    return rows * columns * bits / 8;
  }
  return panel_at((rows + kPanelRows - 1) / kPanelRows, columns);
}

float half_at(std::span<const std::byte> panel, int64_t at) {
  uint16_t bits;
  std::memcpy(&bits, panel.data() + at, 2);
  return f16_to_f32(bits);
}

std::span<const Layout* const> all_layouts() { return kLayouts; }

const Layout& layout_of(LayoutId id) {
  const Layout& layout = *kLayouts[static_cast<int>(id)];
  HALFTONE_CHECK(layout.id == id);
  return layout;
}

const Layout* float_layout_of(DType type) {
  switch (type) {
    case DType::f32:
      return &layout_of(LayoutId::f32);
    case DType::f16:
      return &layout_of(LayoutId::f16);
    case DType::bf16:
      return &layout_of(LayoutId::bf16);
    default:
      return nullptr;
  }
}

const Layout* find_layout(std::string_view name) {
  for (const Layout* layout : kLayouts) {
    if (same_name(layout->name, name)) return layout;
  }
  return nullptr;
}

void decode_row(const WeightView& weight, int64_t row, float* out) {
  const Layout& layout = *weight.layout;
  HALFTONE_CHECK(row >= 0 && row < weight.rows);
  if (weight.order == Order::rows) {
    HALFTONE_CHECK(layout.is_float());
    decode_float_row(layout, weight.data.data() + row * (weight.columns * layout.bits / 8), weight.columns, out);
    return;
  }
  const auto panel = weight.data.subspan(static_cast<size_t>(layout.panel_at(row / kPanelRows, weight.columns)),
                                         static_cast<size_t>(layout.panel_bytes(weight.columns)));
  layout.decode_row(panel, static_cast<int>(row % kPanelRows), weight.columns, out,
                    weight.data.first(static_cast<size_t>(layout.head_bytes())));
}

}  // namespace halftone
