// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "validate/compare.h"
#include "validate/score.h"

namespace halftone {

struct ValidateOptions {
  std::string candidate = "candidate";  // its name in records and tables
  Split split = Split::all;
  double decide_fraction = kDecideFraction;
  const Gate* gate = nullptr;
  CompareOptions compare;
};

struct Validation {
  Comparison comparison;
  std::vector<SampleRecord> records;  // samples.jsonl: compare(records) gives `comparison` again
};

// The whole job for two models: prepare, score the reference, score the candidate, compare. Callers with several
// candidates do the steps themselves (score.h) and score the reference once.
Result<Validation> validate_pair(Subject& reference, Subject& candidate, std::span<const Suite> suites,
                                 const ValidateOptions& options, Progress& progress = no_progress());

// What `halftone recheck` does: compare() for each candidate and split that the records hold, with nothing but the
// records, the gate and the facts (by candidate) that other rooms had measured. `options.facts` is not read.
Result<std::vector<Comparison>> recheck(std::vector<SampleRecord> records, const Gate* gate,
                                        CompareOptions options = {},
                                        const std::map<std::string, CandidateFacts>& facts = {});

}  // namespace halftone
