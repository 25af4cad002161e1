// SPDX-License-Identifier: Apache-2.0
#include "bench/interval.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

namespace halftone {
namespace {

// Largest k with P(Bin(n, 1/2) < k) <= 2.5 %, at least 1.
size_t rank_of_bound(size_t n) {
  double term = std::pow(0.5, static_cast<double>(n)), below = 0;
  size_t k = 0;
  while (k < n && below + term <= 0.025) {
    below += term;
    term *= static_cast<double>(n - k) / static_cast<double>(k + 1);
    ++k;
  }
  return std::max<size_t>(k, 1);
}

}  // namespace

MedianInterval median_interval(std::span<const double> values) {
  if (values.empty()) return {};
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const size_t n = sorted.size(), k = rank_of_bound(n);
  return {(sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted[k - 1], sorted[n - k]};
}

nlohmann::ordered_json to_json(const MedianInterval& interval) {
  return {{"median", interval.median}, {"low", interval.low}, {"high", interval.high}};
}

}  // namespace halftone
