// SPDX-License-Identifier: Apache-2.0
#include "validate/validate.h"

#include "base/error.h"

namespace halftone {

Result<Validation> validate_pair(Subject& reference, Subject& candidate, std::span<const Suite> suites,
                                 const ValidateOptions& options, Progress& progress) {
  if (suites.empty()) return invalid_input("[validate] expected at least one suite, got none");
  Validation validation;
  for (size_t i = 0; i < suites.size(); ++i) {
    for (size_t k = 0; k < i; ++k)
      if (suites[k].spec.name == suites[i].spec.name)
        return invalid_input(
            "[validate] expected suites with different names, got \"{}\" twice; set name in one of them",
            suites[i].spec.name);
    HALFTONE_ASSIGN(PreparedSuite prepared,
                    prepare_suite(suites[i], reference, options.split, options.decide_fraction));
    HALFTONE_TRY(score_reference(prepared, reference, progress));
    HALFTONE_ASSIGN(std::vector<SampleRecord> records,
                    score_candidate(prepared, reference, candidate, options.candidate, progress));
    for (SampleRecord& record : records) validation.records.push_back(std::move(record));
  }
  HALFTONE_ASSIGN(validation.comparison, compare(validation.records, options.gate, options.compare));
  return validation;
}

Result<std::vector<Comparison>> recheck(std::vector<SampleRecord> records, const Gate* gate, CompareOptions options,
                                        const std::map<std::string, CandidateFacts>& facts) {
  std::vector<Comparison> comparisons;
  for (const std::vector<SampleRecord>& part : by_candidate(std::move(records))) {
    const auto found = facts.find(part.front().candidate);
    options.facts = found == facts.end() ? CandidateFacts{} : found->second;
    HALFTONE_ASSIGN(Comparison comparison, compare(part, gate, options));
    comparisons.push_back(std::move(comparison));
  }
  return comparisons;
}

}  // namespace halftone
