// SPDX-License-Identifier: Apache-2.0
#include "validate/score_network.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.h"
#include "validate/quantities.h"
#include "validate/text.h"

namespace halftone {
namespace {

constexpr size_t kMostClasses = 20;  // a record keeps them all

void add_best(std::span<const double> scores, std::set<size_t>& kept) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto best = order.begin() + static_cast<std::ptrdiff_t>(std::min(kTopClasses + 1, order.size()));
  std::partial_sort(order.begin(), best, order.end(),
                    [&](size_t a, size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  kept.insert(order.begin(), best);
}

// Of many classes a record keeps the right one and each model's six best: all that any metric reads, and enough to tell
// that there were more than five.
void keep_classes(const std::vector<std::string>& labels, SampleRecord& record) {
  std::set<size_t> kept;
  if (labels.size() <= kMostClasses) {
    for (size_t i = 0; i < labels.size(); ++i) kept.insert(i);
  } else {
    kept.insert(static_cast<size_t>(record.answer));
    add_best(record.reference_scores, kept);
    add_best(record.candidate_scores, kept);
  }
  std::vector<double> reference, candidate;
  int64_t answer = 0;
  for (const size_t i : kept) {
    if (static_cast<int64_t>(i) == record.answer) answer = static_cast<int64_t>(reference.size());
    record.choices.push_back(labels[i]);
    reference.push_back(record.reference_scores[i]);
    candidate.push_back(record.candidate_scores[i]);
  }
  record.answer = answer;
  record.reference_scores = std::move(reference);
  record.candidate_scores = std::move(candidate);
}

Status score_class(const PreparedSuite& prepared, Classifier& classifier, const Tensor& sample, Side side,
                   SampleRecord& record) {
  HALFTONE_ASSIGN(std::vector<double> scores, classifier.log_probabilities(sample));
  if (scores.size() != prepared.labels.size())
    return invalid_input("expected {} classes like the reference, got {}", prepared.labels.size(), scores.size());
  for (double& score : scores) score = round_significant(score, kScoreDigits);
  (side == Side::reference ? record.reference_scores : record.candidate_scores) = std::move(scores);
  if (side == Side::candidate) keep_classes(prepared.labels, record);
  return {};
}

Status score_sample(const PreparedSuite& prepared, Classifier& classifier, const SeenSample& seen, Side side,
                    SampleRecord& record) {
  const NetworkTask* task = network_task(prepared.spec.task);
  if (task == nullptr) return score_class(prepared, classifier, seen.values, side, record);
  HALFTONE_ASSIGN(const std::vector<Tensor> outputs, classifier.outputs(seen.values));
  return task->score(outputs, seen, prepared, side, record);
}

}  // namespace

Status at_sample(const SampleRecord& sample, const Status& status) {
  return {status.code(), fmt::format("{} sample {}: {}", sample.suite, sample.id, status.message())};
}

Status check_same_input(const PreparedSuite& prepared, const Classifier& candidate) {
  HALFTONE_ASSIGN(const InputFormat own, candidate.own_input());
  if (prepared.spec.input != InputFormat() || own == InputFormat() || own == prepared.input) return {};
  return invalid_input(
      "[validate] {}: expected `input` in the suite, since the candidate's file says {} and the reference's {}",
      prepared.spec.name, to_json(own).dump(), to_json(prepared.input).dump());
}

Status score_network(const PreparedSuite& prepared, Classifier& classifier, Side side, std::span<SampleRecord> records,
                     Progress& progress) {
  SampleReader reader(prepared.input, classifier.input_shape());
  for (size_t i = 0; i < records.size(); ++i) {
    const Result<SeenSample> seen = reader.read(prepared.files[i]);
    if (!seen.ok()) return at_sample(records[i], seen.status());
    const Status status = score_sample(prepared, classifier, *seen, side, records[i]);
    if (!status.ok()) return at_sample(records[i], status);
    progress.advance(1);
  }
  const NetworkTask* task = network_task(prepared.spec.task);
  return task == nullptr || task->finish == nullptr ? Status() : task->finish(prepared, side, records);
}

}  // namespace halftone
