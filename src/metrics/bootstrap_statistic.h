// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "metrics/bootstrap.h"

namespace halftone {

// A figure of all groups at once that is no mean of theirs (average precision, intersection over union), from how often
// each group counts. Calls come one after the other.
using WeightedStatistic = std::function<double(std::span<const double> weights)>;

// As bootstrap_means(): groups drawn with replacement, the same draws for the same seed, groups and replicates. `mean`
// is the statistic itself, the acceleration a jackknife over groups, or over at most 200 blocks of neighbouring groups.
// Fewer than kMinGroups groups: no replicates. Cost: replicates + 200 calls.
BootstrapMean bootstrap_statistic(int64_t groups, int64_t replicates, uint64_t seed,
                                  const WeightedStatistic& statistic);

}  // namespace halftone
