// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/methods/gptq.h"
#include "quantize/methods/grid.h"

namespace halftone {

// Lowers e^T H e, e = value - decoded, of each row of a panel by moving one thing after the other to where it is least,
// all else fixed: each group's line, then each code, block by block of columns, the whole row `sweeps` times. Nothing
// that is done raises it. codes: (columns), in and out; grid: as the codes were chosen.
void refine(const HessianFactor& shared, const Lanes* values, int64_t columns, int sweeps, Grid& grid, Lanes* codes);

}  // namespace halftone
