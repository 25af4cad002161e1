// SPDX-License-Identifier: Apache-2.0
// Errors do not simply add: from the best sum on, choices are measured as a whole.
#pragma once

#include <map>
#include <vector>

#include "base/progress.h"
#include "quantize/mixed/budget.h"
#include "quantize/mixed/candidates.h"

namespace halftone {

using Selection = std::vector<size_t>;  // a candidate of each tensor

// The KL of whole selections, each measured once.
class SelectionKl {
 public:
  // Borrows both. REQUIRES: panels of all candidates; the float model is the base of `model`
  SelectionKl(const std::vector<CandidateTensor>& tensors, TrialModel& model) : tensors_(tensors), model_(model) {}

  Result<double> measure(const Selection& selection);
  // What follows is measured as a change of it, which takes less the later the change is.
  Status settle(const Selection& selection);
  bool knows(const Selection& selection) const { return known_.contains(selection); }
  int64_t trials() const { return trials_; }  // that were computed, and not remembered

 private:
  std::vector<Trial> changes_to(const Selection& selection) const;

  const std::vector<CandidateTensor>& tensors_;
  TrialModel& model_;
  Selection base_;  // empty: the float model
  std::map<Selection, double> known_;
  int64_t trials_ = 0;
};

struct RefineOptions {
  int64_t budget_bytes = 0;
  int64_t most_trials = 100;
};

struct Refined {
  Selection selection;
  double kl = 0;            // measured
  double predicted_kl = 0;  // the sum of its tensors' own
  double first_kl = 0;      // measured, of the best sum
  double price = 0;         // cost that one more byte would save at the budget, as the sums say
  int64_t trials = 0, rounds = 0;
};

// `alone`: bytes and cost (KL of the tensor alone, and what else it costs) of every candidate; `extra`: the part of it
// that is no KL. Each round measures what one step of each tensor costs at the best selection so far, solves the budget
// again with these costs, and measures the best solutions and exchanges (one up, one down), as far down their list as
// the errors of expectations so far say that one could be better; it ends when none is, by a thousandth, or the trials
// are spent. Deterministic. Empty selection: nothing fits the budget.
Result<Refined> refine(const BudgetItems& alone, const std::vector<std::vector<double>>& extra, SelectionKl& kl,
                       const RefineOptions& options, Progress& progress);

// The nearest candidate with fewer (or more) bytes that no other one beats in bytes and cost; the candidate itself
// where there is none.
size_t step_down(const std::vector<BudgetOption>& options, size_t candidate);
size_t step_up(const std::vector<BudgetOption>& options, size_t candidate);

}  // namespace halftone
