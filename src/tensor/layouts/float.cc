// SPDX-License-Identifier: Apache-2.0
// f32, f16: panel [k][16 rows]; bf16: panel [k / 2][16 rows][2].
#include <cstring>

#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/layouts/layouts.h"

namespace halftone {
namespace {

void check_size(const Layout& layout, int64_t columns, size_t bytes) {
  HALFTONE_CHECK(static_cast<int64_t>(bytes) == layout.panel_bytes(columns));
}

int64_t bf16_index(int64_t k, int r) { return k / 2 * (kPanelRows * 2) + r * 2 + k % 2; }

void pack_f32(const Layout& layout, const PanelSource& source, std::span<std::byte> panel) {
  check_size(layout, source.columns, panel.size());
  for (int r = 0; r < kPanelRows; ++r) {
    const float* row = source.values + r * source.columns;
    for (int64_t k = 0; k < source.columns; ++k) std::memcpy(panel.data() + (k * kPanelRows + r) * 4, row + k, 4);
  }
}

void decode_f32(const Layout&, std::span<const std::byte>, std::span<const std::byte> panel, int r, int64_t columns,
                float* out) {
  for (int64_t k = 0; k < columns; ++k) std::memcpy(out + k, panel.data() + (k * kPanelRows + r) * 4, 4);
}

void pack_f16(const Layout& layout, const PanelSource& source, std::span<std::byte> panel) {
  check_size(layout, source.columns, panel.size());
  for (int r = 0; r < kPanelRows; ++r) {
    const float* row = source.values + r * source.columns;
    for (int64_t k = 0; k < source.columns; ++k) {
      const uint16_t bits = f32_to_f16(row[k]);
      std::memcpy(panel.data() + (k * kPanelRows + r) * 2, &bits, 2);
    }
  }
  const size_t used = static_cast<size_t>(source.columns) * kPanelRows * 2;
  std::memset(panel.data() + used, 0, panel.size() - used);
}

void decode_f16(const Layout&, std::span<const std::byte>, std::span<const std::byte> panel, int r, int64_t columns,
                float* out) {
  for (int64_t k = 0; k < columns; ++k) {
    uint16_t bits;
    std::memcpy(&bits, panel.data() + (k * kPanelRows + r) * 2, 2);
    out[k] = f16_to_f32(bits);
  }
}

void pack_bf16(const Layout& layout, const PanelSource& source, std::span<std::byte> panel) {
  check_size(layout, source.columns, panel.size());
  for (int r = 0; r < kPanelRows; ++r) {
    const float* row = source.values + r * source.columns;
    for (int64_t k = 0; k < round_up(source.columns, 2); ++k) {
      const uint16_t bits = k < source.columns ? f32_to_bf16(row[k]) : uint16_t{0};
      std::memcpy(panel.data() + bf16_index(k, r) * 2, &bits, 2);
    }
  }
}

void decode_bf16(const Layout&, std::span<const std::byte>, std::span<const std::byte> panel, int r, int64_t columns,
                 float* out) {
  for (int64_t k = 0; k < columns; ++k) {
    uint16_t bits;
    std::memcpy(&bits, panel.data() + bf16_index(k, r) * 2, 2);
    out[k] = bf16_to_f32(bits);
  }
}

constexpr Layout float_layout(std::string_view name, LayoutId id, int bits, int unit, decltype(Layout::pack) pack,
                              decltype(Layout::decode) decode) {
  return {name, id, bits, -1, false, 0, 0, 0, 0, unit, -1, false, pack, decode, nullptr};
}

}  // namespace

const Layout kLayoutF32 = float_layout("f32", LayoutId::f32, 32, 1, pack_f32, decode_f32);
const Layout kLayoutF16 = float_layout("f16", LayoutId::f16, 16, 1, pack_f16, decode_f16);
const Layout kLayoutBf16 = float_layout("bf16", LayoutId::bf16, 16, 2, pack_bf16, decode_bf16);

}  // namespace halftone
