// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "metrics/bootstrap.h"
#include "metrics/paired.h"
#include "metrics/proportion.h"
#include "metrics/tails.h"

namespace halftone {

// What was measured, in the form from which intervals, tests and sample sizes follow. Larger is always worse.

// Accuracy lost on the same samples; counts already worth their effective number.
struct LossEvidence {
  PairedCounts counts;
};
// Share of samples with something bad.
struct RateEvidence {
  GroupedProportion proportion;
};
// Mean of something over tokens or samples.
struct MeanEvidence {
  BootstrapMean mean;
};
// A quantile; `groups[i]` numbers the group of value i.
struct TailEvidence {
  std::shared_ptr<const std::vector<double>> values;
  std::shared_ptr<const std::vector<int64_t>> groups;
  Quantile quantile;
};
// A value with the interval its own room gave it (bytes: none).
struct FactEvidence {
  double value = 0;
  std::optional<Interval> one_sided;  // 95 % bounds on either side
};
using Evidence = std::variant<LossEvidence, RateEvidence, MeanEvidence, TailEvidence, FactEvidence>;

std::optional<double> value_of(const Evidence& evidence);                // absent: n does not carry it
std::optional<Interval> interval_95(const Evidence& evidence);           // two-sided
std::optional<Interval> one_sided_95(const Evidence& evidence);          // {lower bound, upper bound}, 95 % each
std::optional<double> beyond_p(const Evidence& evidence, double limit);  // H0: the truth is at most the limit
// Samples, in the unit of `n`, that would decide about the limit (metrics/sample_size.h).
std::optional<int64_t> needed_samples(const Evidence& evidence, double limit, int64_t n);
std::string_view method_of(const Evidence& evidence);  // the interval's name, as docs/statistics.md lists it

}  // namespace halftone
