// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "validate/compare.h"

namespace halftone {

// All quantities of one suite, or of one slice of it.
struct Measured {
  std::string suite;
  SampleView view;
  SampleView shifted;  // copies of its samples (ood: true)
  std::vector<Quantity> quantities;
  std::vector<Distribution> distributions;
};
Measured measure(std::string suite, SampleView view, const CompareOptions& options);
// Only what checks of one kind read: the bootstrap of means is the dear part.
Measured measure_for(GateMetric::Kind kind, std::string suite, SampleView view, const CompareOptions& options);
// Of the shifted copies when the column is theirs.
SampleView slice_of(const Measured& measured, std::string_view column, std::string_view value);

// Pass when every check's one-sided 95 % bound lies inside its limit (an intersection-union test: no correction is due,
// Berger, Technometrics 24, 1982). Fail when a check lies beyond its limit with p <= 0.05 after Holm's correction over
// all checks. Inconclusive otherwise.
Result<GateResult> apply_gate(const Gate& gate, std::span<const Measured> suites, const CompareOptions& options);

}  // namespace halftone
