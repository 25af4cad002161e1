// SPDX-License-Identifier: Apache-2.0
#include "metrics/bootstrap_statistic.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "metrics/special.h"

namespace halftone {
namespace {

constexpr int64_t kMostBlocks = 200;

// Efron's acceleration: the skewness of what leaving out each block does.
double acceleration_of(int64_t groups, const WeightedStatistic& statistic) {
  const int64_t blocks = std::min(groups, kMostBlocks);
  std::vector<double> without, weights(static_cast<size_t>(groups), 1.0);
  double sum = 0;
  for (int64_t b = 0; b < blocks; ++b) {
    const auto begin = weights.begin() + b * groups / blocks, end = weights.begin() + (b + 1) * groups / blocks;
    std::fill(begin, end, 0.0);
    without.push_back(statistic(weights));
    std::fill(begin, end, 1.0);
    sum += without.back();
  }
  const double mean = sum / static_cast<double>(blocks);
  double squares = 0, cubes = 0;
  for (const double value : without) {
    squares += (mean - value) * (mean - value);
    cubes += (mean - value) * (mean - value) * (mean - value);
  }
  return squares > 0 ? cubes / (6 * squares * std::sqrt(squares)) : 0;
}

}  // namespace

BootstrapMean bootstrap_statistic(int64_t groups, int64_t replicates, uint64_t seed,
                                  const WeightedStatistic& statistic) {
  BootstrapMean result;
  result.groups = groups;
  std::vector<double> weights(static_cast<size_t>(groups), 1.0);
  result.mean = statistic(weights);
  if (groups < kMinGroups) return result;
  result.acceleration = acceleration_of(groups, statistic);
  Rng rng(seed);
  double sum = 0, squares = 0;
  for (int64_t replicate = 0; replicate < replicates; ++replicate) {
    std::fill(weights.begin(), weights.end(), 0.0);
    for (int64_t i = 0; i < groups; ++i) weights[rng.below(static_cast<uint64_t>(groups))] += 1;
    result.replicates.push_back(statistic(weights));
    sum += result.replicates.back();
  }
  const double n = static_cast<double>(replicates);
  for (const double value : result.replicates) squares += (value - sum / n) * (value - sum / n);
  result.deviation = std::sqrt(squares / (n - 1) * static_cast<double>(groups));
  std::sort(result.replicates.begin(), result.replicates.end());
  double below = 0;
  for (const double value : result.replicates) below += value < result.mean ? 1 : value > result.mean ? 0 : 0.5;
  result.bias = normal_quantile(std::clamp(below / n, 0.5 / n, 1 - 0.5 / n));
  return result;
}

}  // namespace halftone
