// SPDX-License-Identifier: Apache-2.0
// What tasks make their quantities of. Private to the room.
#pragma once

#include <functional>
#include <vector>

#include "validate/quantities.h"

namespace halftone {

// A share of samples with something bad: per record how many there are and how many are bad. `borrowed`: the design
// effect that a rate of few events takes over (metrics/proportion.h).
Quantity rate(const SampleView& view, std::string_view name, std::string_view n_unit, double borrowed,
              const std::function<GroupSum(const SampleRecord&)>& value);

// What is right about a record under each model.
struct RightPair {
  bool reference = false, candidate = false;
};
// The share of records that are right, and what the candidate loses of it.
Quantity paired_rate(const SampleView& view, std::string_view name, double borrowed,
                     const std::function<RightPair(const SampleRecord&)>& right);

// A mean to be: its value per record, summed over what the record counts.
struct MeanPlan {
  Quantity quantity;
  std::function<double(const SampleRecord&)> sum;
};
// Of records that count `count` each, by one bootstrap: the same draws for every plan.
std::vector<Quantity> bootstrapped(const SampleView& view, std::vector<MeanPlan> plans,
                                   const std::function<double(const SampleRecord&)>& count, int64_t replicates,
                                   uint64_t seed);
// The candidate's mean against the reference's, one value each per record; `better`: 1 more is better, -1 less is.
MeanPlan mean_change(const SampleView& view, std::string_view name, int better,
                     const std::function<double(const SampleRecord&)>& reference,
                     const std::function<double(const SampleRecord&)>& candidate);

// Where no record of at most 1 each lost or gained anything a bootstrap would say 0 to 0: the mean loss is at most the
// share of records that lose, whose exact bound takes its place.
void bound_if_unchanged(const SampleView& view, Quantity& quantity);

using Values = std::vector<double>;
// `spread` appends the values of one record.
Distribution distribution(const SampleView& view, std::string_view name, std::string_view n_unit,
                          const std::function<void(const SampleRecord&, Values&)>& spread);

std::string_view samples_unit(const SampleView& view);

}  // namespace halftone
