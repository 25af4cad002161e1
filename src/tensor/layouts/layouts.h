// SPDX-License-Identifier: Apache-2.0
// The rows of the table in layout.cc; one file per family defines them.
#pragma once

#include "tensor/layout.h"

namespace halftone {

extern const Layout kLayoutF32, kLayoutF16, kLayoutBf16;

#define HALFTONE_COUNT_LAYOUT(with, ...) +1
inline constexpr int kIntegerLayoutCount = 0 HALFTONE_INTEGER_LAYOUTS(HALFTONE_COUNT_LAYOUT, )
    HALFTONE_PALETTE_LAYOUTS(HALFTONE_COUNT_LAYOUT, ) HALFTONE_VECTOR_LAYOUTS(HALFTONE_COUNT_LAYOUT, );
#undef HALFTONE_COUNT_LAYOUT
extern const Layout kIntegerLayouts[kIntegerLayoutCount];  // palettes after integers: the order of LayoutId

inline constexpr int64_t kPanelAlignment = 64;  // every panel, and its codes after the scales

constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace halftone
