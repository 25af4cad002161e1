// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "ship/sweep/run.h"

namespace halftone {

// Points within this share of each other's bytes are equal in bytes.
inline constexpr double kEqualBytes = 0.03;

std::vector<Trade> trades_of(std::span<const SweepPoint> points);

// The knee of all points together and of each method's; with `explain` the causes and alternatives of each.
Status find_knees(SweepRun& run);

// What else the bytes of `beyond` might buy: other methods in its layout, other layouts within kEqualBytes (of palettes
// those that 16 rows share), not what `known` has.
Result<std::vector<GridPoint>> alternatives_to(const SweepPoint& beyond, std::span<const SweepPoint> known,
                                               const SweepJudge& judge);

}  // namespace halftone
