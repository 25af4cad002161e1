// SPDX-License-Identifier: Apache-2.0
#include "metrics/sample_size.h"

#include <algorithm>
#include <cmath>

namespace halftone {
namespace {

constexpr double kZ95 = 1.6448536269514722, kZ80 = 0.8416212335729143;

std::optional<int64_t> rounded(double n) {
  if (!(n <= static_cast<double>(kMaxNeeded))) return std::nullopt;
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(n)));
}

std::optional<int64_t> without_events(double limit) {
  if (!(limit > 0)) return std::nullopt;
  if (limit >= 1) return 1;
  return rounded(std::log(0.05) / std::log1p(-limit));
}

}  // namespace

std::optional<int64_t> samples_for_mean(double deviation, double estimate, double limit) {
  const double distance = std::fabs(limit - estimate);
  if (!(distance > 0)) return std::nullopt;
  const double root = (kZ95 + kZ80) * deviation / distance;
  return rounded(root * root);
}

std::optional<int64_t> samples_for_proportion(double x, double n, double limit) {
  if (!(n > 0)) return without_events(limit);
  if (x <= 0) return without_events(limit);
  if (x >= n) return without_events(1 - limit);
  const double p = x / n;
  const double distance = std::fabs(limit - p);
  if (!(distance > 0)) return std::nullopt;
  const double at_limit = std::clamp(limit, 0.0, 1.0);
  const double root = (kZ95 * std::sqrt(at_limit * (1 - at_limit)) + kZ80 * std::sqrt(p * (1 - p))) / distance;
  return rounded(root * root);
}

std::optional<int64_t> samples_for_loss(const PairedCounts& counts, double limit) {
  if (!(counts.n > 0) || counts.lost + counts.gained <= 0) return without_events(limit);
  const double loss = paired_loss(counts);
  const double variance = (counts.lost + counts.gained) / counts.n - loss * loss;
  const auto score = samples_for_mean(std::sqrt(std::max(0.0, variance)), loss, limit);
  const auto exact = limit > 0 && loss >= 0 && loss < limit ? without_events(limit) : std::optional<int64_t>(1);
  if (!score || !exact) return std::nullopt;
  return std::max(*score, *exact);
}

}  // namespace halftone
