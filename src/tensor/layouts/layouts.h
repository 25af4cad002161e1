// SPDX-License-Identifier: Apache-2.0
// The rows of the table in layout.cc; one file per family defines them.
#pragma once

#include "tensor/layout.h"

namespace halftone {

extern const Layout kLayoutF32, kLayoutF16, kLayoutBf16;
extern const Layout kLayoutInt8Channel, kLayoutInt8Block32;
extern const Layout kLayoutInt4Channel, kLayoutInt4Block32;

inline constexpr int64_t kPanelAlignment = 64;  // every panel, and its codes after the scales
inline constexpr int64_t kCodeColumns = 8;      // integer codes are padded to this many columns

constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// Scales of integer panels: f16 [groups][16 rows].
void pack_scales(const Layout& layout, const PanelSource& source, std::span<std::byte> panel);
float scale_at(std::span<const std::byte> panel, int64_t group, int r);

}  // namespace halftone
