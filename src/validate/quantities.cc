// SPDX-License-Identifier: Apache-2.0
#include "validate/quantities.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "metrics/logits.h"
#include "metrics/vectors.h"
#include "validate/quantity_tools.h"
#include "validate/tasks/network_task.h"

namespace halftone {
namespace {

// What a loss counts: whether each model was right about a sample.
using Rightness = bool ChoiceOutcome::*;

Quantity accuracy(const SampleView& view, std::string_view name, Rightness reference_right, Rightness candidate_right,
                  double borrowed) {
  return paired_rate(view, name, borrowed, [&](const SampleRecord& record) {
    const ChoiceOutcome outcome = outcome_of(record);
    return RightPair{outcome.*reference_right, outcome.*candidate_right};
  });
}

double total(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

std::vector<MeanPlan> mean_plans(const SampleView& view) {
  std::vector<MeanPlan> plans;
  const auto add = [&](std::string_view name, double scale,
                       std::function<double(const SampleRecord&)> sum) -> Quantity& {
    MeanPlan& plan = plans.emplace_back();
    plan.quantity.name = name;
    plan.quantity.scale = scale;
    plan.sum = std::move(sum);
    return plan.quantity;
  };
  if (has_answers(view.task)) {
    double reference = 0, candidate = 0;
    for (const SampleRecord* record : view.records) {
      const ChoiceOutcome outcome = outcome_of(*record);
      reference += outcome.reference_probability;
      candidate += outcome.candidate_probability;
    }
    Quantity& quantity = add("answer_probability", -1, [](const SampleRecord& record) {
      const ChoiceOutcome outcome = outcome_of(record);
      return outcome.reference_probability - outcome.candidate_probability;
    });
    quantity.reference = reference / static_cast<double>(view.records.size());
    quantity.candidate = candidate / static_cast<double>(view.records.size());
    return plans;
  }
  double tokens = 0, reference = 0, candidate = 0;
  for (const SampleRecord* record : view.records) {
    tokens += static_cast<double>(record->tokens);
    reference -= record->reference_log_probability;
    candidate -= record->candidate_log_probability;
  }
  Quantity& quantity = add("log_perplexity", 1, [](const SampleRecord& record) {
    return record.reference_log_probability - record.candidate_log_probability;
  });
  quantity.reference = reference / tokens;
  quantity.candidate = candidate / tokens;
  if (view.task == Task::perplexity) return plans;
  add("kl", 1, [](const SampleRecord& record) { return total(record.kl); });
  add("token_probability_change", -1, [](const SampleRecord& record) { return -total(record.probability_change); });
  return plans;
}

constexpr int64_t kCalibrationBins = 15;

// No interval: the error of a calibration curve is biased upwards in every sample, so a bootstrap would mislead.
Quantity calibration(const SampleView& view) {
  std::vector<double> confidence[2];
  std::vector<uint8_t> right[2];
  for (const SampleRecord* record : view.records) {
    const ChoiceOutcome outcome = outcome_of(*record);
    confidence[0].push_back(outcome.reference_confidence);
    confidence[1].push_back(outcome.candidate_confidence);
    right[0].push_back(outcome.reference_right);
    right[1].push_back(outcome.candidate_right);
  }
  Quantity quantity;
  quantity.name = "calibration_error";
  quantity.reference = expected_calibration_error(confidence[0], right[0], kCalibrationBins);
  quantity.candidate = expected_calibration_error(confidence[1], right[1], kCalibrationBins);
  quantity.n = static_cast<int64_t>(view.records.size());
  quantity.n_unit = samples_unit(view);
  quantity.groups = view.group_count;
  BootstrapMean difference;
  difference.mean = *quantity.candidate - *quantity.reference;
  quantity.evidence = MeanEvidence{difference};
  return quantity;
}

// Ties go to the lower index.
bool is_among_top(std::span<const double> scores, size_t answer) {
  size_t before = 0;
  for (size_t i = 0; i < scores.size(); ++i)
    before += scores[i] > scores[answer] || (scores[i] == scores[answer] && i < answer);
  return before < kTopClasses;
}

}  // namespace

std::string_view accuracy_metric(Task task) { return task == Task::classify ? "top1" : "choice_accuracy"; }

std::vector<double> probabilities_of(const SampleRecord& record, std::span<const double> scores) {
  if (record.task != Task::classify) return softmax(scores);
  std::vector<double> probabilities;  // classes that were left out have theirs
  for (const double score : scores) probabilities.push_back(std::exp(score));
  return probabilities;
}

SampleView view_of(std::vector<const SampleRecord*> records) {
  SampleView view;
  std::stable_sort(records.begin(), records.end(),
                   [](const SampleRecord* a, const SampleRecord* b) { return a->id < b->id; });
  std::map<std::string_view, int64_t> numbers;
  for (const SampleRecord* record : records)
    view.groups.push_back(numbers.emplace(record->group, static_cast<int64_t>(numbers.size())).first->second);
  view.group_count = static_cast<int64_t>(numbers.size());
  if (!records.empty()) view.task = records.front()->task;
  view.records = std::move(records);
  return view;
}

ChoiceOutcome outcome_of(const SampleRecord& record) {
  ChoiceOutcome outcome;
  const size_t answer = static_cast<size_t>(record.answer);
  outcome.reference_pick = argmax(record.reference_scores);
  outcome.candidate_pick = argmax(record.candidate_scores);
  const std::vector<double> reference = probabilities_of(record, record.reference_scores);
  const std::vector<double> candidate = probabilities_of(record, record.candidate_scores);
  outcome.reference_probability = reference[answer];
  outcome.candidate_probability = candidate[answer];
  outcome.reference_confidence = reference[static_cast<size_t>(outcome.reference_pick)];
  outcome.candidate_confidence = candidate[static_cast<size_t>(outcome.candidate_pick)];
  outcome.reference_top5 = is_among_top(record.reference_scores, answer);
  outcome.candidate_top5 = is_among_top(record.candidate_scores, answer);
  outcome.reference_right = outcome.reference_pick == record.answer;
  outcome.candidate_right = outcome.candidate_pick == record.answer;
  outcome.confident_flip =
      outcome.reference_right && !outcome.candidate_right && outcome.reference_probability >= kConfident;
  return outcome;
}

std::vector<Quantity> rates_of(const SampleView& view) {
  if (const NetworkTask* task = network_task(view.task)) return task->rates(view);
  std::vector<Quantity> quantities;
  if (has_answers(view.task)) {
    const std::string_view unit = samples_unit(view);
    const auto event = [](bool happened) { return GroupSum{1, happened ? 1.0 : 0.0}; };
    Quantity wrong = rate(view, view.task == Task::classify ? "top1_errors" : "wrong_answers", unit, 0,
                          [&](const SampleRecord& record) { return event(!outcome_of(record).candidate_right); });
    // Flips are rare; how alike the questions of a group are shows in the answers that are wrong anyway.
    const GroupedProportion& common = std::get<RateEvidence>(wrong.evidence).proportion;
    const double borrowed = std::min(common.x, common.n - common.x) < kFewEvents ? 0 : common.design_effect;
    quantities.push_back(accuracy(view, accuracy_metric(view.task), &ChoiceOutcome::reference_right,
                                  &ChoiceOutcome::candidate_right, borrowed));
    if (view.task == Task::classify && !view.records.empty() && view.records[0]->choices.size() > kTopClasses)
      quantities.push_back(
          accuracy(view, "top5", &ChoiceOutcome::reference_top5, &ChoiceOutcome::candidate_top5, borrowed));
    quantities.push_back(rate(view, "confident_flips", unit, borrowed,
                              [&](const SampleRecord& record) { return event(outcome_of(record).confident_flip); }));
    quantities.push_back(rate(view, "answer_flips", unit, borrowed, [&](const SampleRecord& record) {
      const ChoiceOutcome outcome = outcome_of(record);
      return event(outcome.reference_pick != outcome.candidate_pick);
    }));
    quantities.push_back(std::move(wrong));
  }
  if (view.task == Task::divergence) {
    Quantity agreement = rate(view, "top_token_agreement", "tokens", 0, [](const SampleRecord& record) {
      return GroupSum{static_cast<double>(record.tokens), static_cast<double>(record.tokens - record.same_top)};
    });
    agreement.offset = 1;
    agreement.scale = -1;
    quantities.push_back(std::move(agreement));
    Quantity flips = rate(view, "confident_token_flips", "tokens", 0, [](const SampleRecord& record) {
      return GroupSum{static_cast<double>(record.confident_tokens), static_cast<double>(record.confident_flips)};
    });
    if (flips.n > 0) quantities.push_back(std::move(flips));
    Quantity changed = rate(view, "changed_answers", "windows", 0, [](const SampleRecord& record) {
      if (record.answer_tokens == 0) return GroupSum{0, 0};
      return GroupSum{1, record.answer_same_tokens < record.answer_tokens ? 1.0 : 0.0};
    });
    if (changed.n > 0) quantities.push_back(std::move(changed));
  }
  return quantities;
}

std::vector<Quantity> means_of(const SampleView& view, int64_t replicates, uint64_t seed) {
  if (const NetworkTask* task = network_task(view.task)) return task->means(view, replicates, seed);
  const auto count = [&](const SampleRecord& record) {
    return has_answers(view.task) ? 1 : static_cast<double>(record.tokens);
  };
  std::vector<Quantity> quantities = bootstrapped(view, mean_plans(view), count, replicates, seed);
  if (view.task == Task::classify) quantities.push_back(calibration(view));
  return quantities;
}

std::vector<Quantity> shifts_of(const SampleView& view, const SampleView& shifted, int64_t replicates, uint64_t seed) {
  if (shifted.records.empty()) return {};
  const auto loss_of = [](const SampleRecord& record) {
    const ChoiceOutcome outcome = outcome_of(record);
    return outcome.reference_probability - outcome.candidate_probability;
  };
  std::map<std::string_view, GroupSum> losses;  // of the copies, by the id of their sample
  for (const SampleRecord* record : shifted.records) {
    GroupSum& sum = losses[std::string_view(record->id).substr(0, record->id.rfind('~'))];
    sum.count += 1;
    sum.sum += loss_of(*record);
  }
  MeanPlan gap;
  gap.quantity.name = "ood_gap";
  gap.sum = [&](const SampleRecord& record) {
    const auto copies = losses.find(record.id);
    return copies == losses.end() ? 0 : copies->second.sum / copies->second.count - loss_of(record);
  };
  std::vector<MeanPlan> plans;
  plans.push_back(std::move(gap));
  std::vector<Quantity> quantities = bootstrapped(
      view, std::move(plans), [](const SampleRecord&) { return 1.0; }, replicates, seed);
  quantities.push_back(
      accuracy(shifted, "ood_top1", &ChoiceOutcome::reference_right, &ChoiceOutcome::candidate_right, 0));
  return quantities;
}

std::vector<Distribution> distributions_of(const SampleView& view) {
  if (const NetworkTask* task = network_task(view.task)) return task->distributions(view);
  if (has_answers(view.task))
    return {
        distribution(view, "answer_probability", samples_unit(view), [](const SampleRecord& record, Values& values) {
          const ChoiceOutcome outcome = outcome_of(record);
          values.push_back(outcome.reference_probability - outcome.candidate_probability);
        })};
  std::vector<Distribution> distributions;
  distributions.push_back(
      distribution(view, "log_perplexity", "windows", [](const SampleRecord& record, Values& values) {
        const double loss = record.reference_log_probability - record.candidate_log_probability;
        values.push_back(loss / static_cast<double>(record.tokens));
      }));
  if (view.task == Task::divergence) {
    distributions.push_back(distribution(view, "kl", "tokens", [](const SampleRecord& record, Values& values) {
      values.insert(values.end(), record.kl.begin(), record.kl.end());
    }));
    const auto change = [](const SampleRecord& record, Values& values) {
      for (const double one : record.probability_change) values.push_back(std::fabs(one));
    };
    distributions.push_back(distribution(view, "token_probability_change", "tokens", change));
  }
  return distributions;
}

}  // namespace halftone
