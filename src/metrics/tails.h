// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace halftone {

// The fewest independent samples from which anything can be said about a quantile: below it not even the largest sample
// is, with 95 % confidence, beyond the quantile. Smallest n with 1 - q^n >= 0.95: 59, 299, 2,995 for 0.95, 0.99, 0.999.
int64_t samples_for_quantile(double quantile);

// One quantile of a distribution. A number that n does not carry is absent, and `needs` says which n would.
struct Quantile {
  double quantile = 0;
  int64_t needs = 0;  // samples_for_quantile
  std::optional<double>
      value;  // smallest sample with at least that fraction at or below it (inverse of the empirical cdf)
  std::optional<double> upper;  // one-sided 95 % bound: the true quantile lies below
  std::optional<double> lower;  // one-sided 95 % bound: the true quantile lies above
};

struct Tails {
  int64_t n = 0;
  double effective_n = 0;           // independent samples; bounds exist when it reaches `needs`
  std::vector<Quantile> quantiles;  // 0.5, 0.95, 0.99, 0.999
  double max = 0;                   // of the sample: says nothing about the next one
};

inline constexpr double kTailQuantiles[] = {0.5, 0.95, 0.99, 0.999};

// Bounds by order statistics (David & Nagaraja, Order Statistics, 2003, section 7.1), distribution-free: the r-th
// smallest of n is above the q-quantile with probability P(Bin(n, q) <= r - 1). `groups[i]` numbers the group of value
// i (empty: all independent); dependent samples count as fewer by Korn & Graubard's factor on "is beyond the quantile"
// (Woodruff, JASA 47, 1952).
Tails tails_of(std::span<const double> values, std::span<const int64_t> groups = {});

// "The q-quantile is inside the limit" is the claim that at most 1 - q of all samples exceed it.
struct Exceedance {
  double n = 0, effective_n = 0, x = 0;  // x of n exceed
};
Exceedance exceedance(std::span<const double> values, std::span<const int64_t> groups, double limit);

}  // namespace halftone
