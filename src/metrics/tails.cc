// SPDX-License-Identifier: Apache-2.0
#include "metrics/tails.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "metrics/proportion.h"
#include "metrics/special.h"

namespace halftone {
namespace {

constexpr double kLevel = 0.95;

// Per group: how many values, and how many exceed the limit.
std::vector<GroupSum> exceeding(std::span<const double> values, std::span<const int64_t> groups, double limit) {
  HALFTONE_CHECK(groups.empty() || groups.size() == values.size());
  std::vector<GroupSum> sums;
  if (groups.empty()) {
    sums.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) sums[i] = {1, values[i] > limit ? 1.0 : 0.0};
    return sums;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t group = static_cast<size_t>(groups[i]);
    if (group >= sums.size()) sums.resize(group + 1);
    sums[group].count += 1;
    sums[group].sum += values[i] > limit ? 1 : 0;
  }
  std::erase_if(sums, [](const GroupSum& sum) { return sum.count == 0; });
  return sums;
}

// Smallest rank r in [1, n] whose order statistic lies above the q-quantile with 95 % confidence.
std::optional<double> upper_rank(double n, double quantile) {
  if (binomial_at_most(n - 1, n, quantile) < kLevel) return std::nullopt;
  return solve_increasing([&](double r) { return binomial_at_most(r - 1, n, quantile) - kLevel; }, 1, n);
}

std::optional<double> lower_rank(double n, double quantile) {
  if (binomial_at_least(1, n, quantile) < kLevel) return std::nullopt;
  return solve_increasing([&](double r) { return kLevel - binomial_at_least(r, n, quantile); }, 1, n);
}

}  // namespace

int64_t samples_for_quantile(double quantile) {
  return static_cast<int64_t>(std::ceil(std::log(1 - kLevel) / std::log(quantile)));
}

Tails tails_of(std::span<const double> values, std::span<const int64_t> groups) {
  Tails tails;
  tails.n = static_cast<int64_t>(values.size());
  tails.effective_n = static_cast<double>(tails.n);
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  if (!sorted.empty()) tails.max = sorted.back();
  const double n = static_cast<double>(sorted.size());
  // A rank among n_eff independent samples, as an index among the n that there are; `up` rounds away from the middle.
  const auto sample_at = [&](double rank, double effective, bool up) {
    const double place = rank / effective * n;
    const double index = up ? std::ceil(place - 1e-9) : std::floor(place + 1e-9);
    return sorted[static_cast<size_t>(std::clamp(index, 1.0, n) - 1)];
  };
  for (const double level : kTailQuantiles) {
    Quantile quantile{level, samples_for_quantile(level), {}, {}, {}};
    if (tails.n >= quantile.needs) {
      quantile.value = sample_at(level * n, n, true);
      const double effective = grouped_proportion(exceeding(values, groups, *quantile.value)).effective_n;
      tails.effective_n = std::min(tails.effective_n, effective);
      // Integer-like ranks are rounded outward, so the bound keeps at least its confidence.
      const double counted = groups.empty() ? n : effective;
      if (const auto rank = upper_rank(counted, level)) quantile.upper = sample_at(*rank, counted, true);
      if (const auto rank = lower_rank(counted, level)) quantile.lower = sample_at(*rank, counted, false);
    }
    tails.quantiles.push_back(quantile);
  }
  return tails;
}

Exceedance exceedance(std::span<const double> values, std::span<const int64_t> groups, double limit) {
  const GroupedProportion proportion = grouped_proportion(exceeding(values, groups, limit));
  return {proportion.n, proportion.effective_n, proportion.x};
}

}  // namespace halftone
