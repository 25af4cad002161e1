// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "metrics/paired.h"

namespace halftone {

// "Needs n of about N": how many independent samples a one-sided 5 % test needs to decide, with 80 % power, that the
// truth lies on the side of the limit where the estimate lies, if the truth is what was estimated. N = ((z.95 + z.80)
// sigma / distance)^2 (Julious, Statistics in Medicine 23, 2004, section 3). Absent: the estimate sits on the limit, or
// N exceeds kMaxNeeded.
inline constexpr int64_t kMaxNeeded = 100'000'000;

std::optional<int64_t> samples_for_mean(double deviation, double estimate, double limit);

// Rates: exact when no event was seen (or nothing but events): the smallest n with (1 - limit)^n <= 0.05.
std::optional<int64_t> samples_for_proportion(double x, double n, double limit);

// Loss of accuracy on the same samples; sigma^2 = discordant share - loss^2. 8 % discordant, limit 0.5 points: 19,784.
std::optional<int64_t> samples_for_loss(const PairedCounts& counts, double limit);

}  // namespace halftone
