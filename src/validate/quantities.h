// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "validate/evidence.h"
#include "validate/record.h"

namespace halftone {

// The records of one suite (or one slice of it), with their groups numbered. Records are ordered by id, so that results
// do not depend on the order of lines in a file. Pointers stay the caller's.
struct SampleView {
  Task task = Task::choices;
  std::vector<const SampleRecord*> records;
  std::vector<int64_t> groups;  // number of each record's group, from 0 in order of first appearance
  int64_t group_count = 0;
};
SampleView view_of(std::vector<const SampleRecord*> records);

// Probabilities of a record's alternatives from their scores.
std::vector<double> probabilities_of(const SampleRecord& record, std::span<const double> scores);

// What both models answered to one question.
struct ChoiceOutcome {
  int64_t reference_pick = 0, candidate_pick = 0;
  double reference_probability = 0, candidate_probability = 0;  // of the right answer, softmax over the choices
  bool reference_right = false, candidate_right = false;
  bool reference_top5 = false, candidate_top5 = false;        // the right answer is among the five most probable
  double reference_confidence = 0, candidate_confidence = 0;  // probability of what each picks
  bool confident_flip = false;  // reference right with probability >= kConfident, candidate wrong
};
ChoiceOutcome outcome_of(const SampleRecord& record);

inline constexpr size_t kTopClasses = 5;
// The metric that is the share of right answers: choice_accuracy or top1.
std::string_view accuracy_metric(Task task);

// One metric of one view. `evidence` says how bad it is (larger is worse, in fractions or nats); people read
// shown = offset + scale * evidence: an agreement is 1 - disagreement, a delta is minus the loss.
struct Quantity {
  std::string_view name;                       // DESIGN section 5: choice_accuracy, kl, ...
  std::optional<double> reference, candidate;  // absent: the metric belongs to the pair
  int64_t n = 0;
  std::string_view n_unit;  // questions, tokens, windows
  int64_t groups = 0;
  Evidence evidence;
  double offset = 0, scale = 1;
};

// Rates and paired losses: closed forms, cheap.
std::vector<Quantity> rates_of(const SampleView& view);
// Means over groups by bootstrap: groups x replicates.
std::vector<Quantity> means_of(const SampleView& view, int64_t replicates, uint64_t seed);

// What shifted copies of a view's samples lose, and how much more of the right answer's probability than the samples
// themselves (ood_gap, paired by sample). Empty: there are none.
std::vector<Quantity> shifts_of(const SampleView& view, const SampleView& shifted, int64_t replicates, uint64_t seed);

// Distributions whose tails matter: kl and |token_probability_change| over tokens, answer_probability (loss of the
// right answer's probability) over questions, log_perplexity (increase) over windows.
struct Distribution {
  std::string_view name;
  std::string_view n_unit;
  std::shared_ptr<const std::vector<double>> values;
  std::shared_ptr<const std::vector<int64_t>> groups;
  Tails tails;
};
std::vector<Distribution> distributions_of(const SampleView& view);

}  // namespace halftone
