// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/layouts/layouts.h"

namespace halftone {

void pack_scales(const Layout& layout, const PanelSource& source, std::span<std::byte> panel) {
  const int64_t groups = layout.groups(source.columns);
  HALFTONE_CHECK(static_cast<int64_t>(panel.size()) == layout.panel_bytes(source.columns));
  for (int64_t group = 0; group < groups; ++group) {
    for (int r = 0; r < kPanelRows; ++r) {
      std::memcpy(panel.data() + (group * kPanelRows + r) * 2, &source.scales[r * groups + group], 2);
    }
  }
  const int64_t used = groups * kPanelRows * 2;
  std::memset(panel.data() + used, 0, static_cast<size_t>(layout.scale_bytes(source.columns) - used));
}

float scale_at(std::span<const std::byte> panel, int64_t group, int r) {
  uint16_t bits;
  std::memcpy(&bits, panel.data() + (group * kPanelRows + r) * 2, 2);
  return f16_to_f32(bits);
}

}  // namespace halftone
