// SPDX-License-Identifier: Apache-2.0
#include "validate/compare.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "metrics/paired.h"
#include "validate/apply_gate.h"
#include "validate/tasks/network_task.h"

namespace halftone {
namespace {

MetricRow metric_row(const Quantity& quantity, const std::string& suite) {
  MetricRow row;
  row.name = quantity.name;
  row.suite = suite;
  row.reference = quantity.reference;
  row.candidate = quantity.candidate;
  row.delta = quantity.offset + quantity.scale * value_of(quantity.evidence).value_or(0);
  if (const auto interval = interval_95(quantity.evidence)) {
    const double a = quantity.offset + quantity.scale * interval->low;
    const double b = quantity.offset + quantity.scale * interval->high;
    row.interval = Interval{std::min(a, b), std::max(a, b)};
  }
  row.n = quantity.n;
  row.n_unit = quantity.n_unit;
  row.groups = quantity.groups;
  row.method = method_of(quantity.evidence);
  return row;
}

double mcnemar_of(const SampleView& view) {
  double lost = 0, gained = 0;
  for (const SampleRecord* record : view.records) {
    const ChoiceOutcome outcome = outcome_of(*record);
    lost += outcome.reference_right && !outcome.candidate_right;
    gained += !outcome.reference_right && outcome.candidate_right;
  }
  return mcnemar_mid_p(lost, gained);
}

// Wrong answers serve gates; people read the accuracy they are the complement of.
bool is_shown(const Quantity& quantity) { return quantity.name != "wrong_answers" && quantity.name != "top1_errors"; }

// What a slice is judged by: the accuracy, or what the task shows first.
std::string_view slice_metric(Task task) {
  const NetworkTask* of_network = network_task(task);
  return of_network == nullptr ? accuracy_metric(task) : of_network->primary;
}

std::vector<Quantity> slice_quantities(const SampleView& view, const CompareOptions& options) {
  return network_task(view.task) == nullptr ? rates_of(view) : means_of(view, options.replicates, options.seed);
}

void add_slices(const Measured& measured, const CompareOptions& options, std::vector<SliceRow>& rows) {
  std::vector<std::string> columns;
  std::set<std::pair<std::string, std::string>> values;
  std::vector<const SampleRecord*> all = measured.view.records;
  all.insert(all.end(), measured.shifted.records.begin(), measured.shifted.records.end());
  for (const SampleRecord* record : all) {
    for (const auto& [column, value] : record->slices) {
      if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
      values.insert({column, value});
    }
  }
  for (const std::string& column : columns) {
    for (const auto& [of, value] : values) {
      if (of != column) continue;
      SliceRow row{measured.suite, column, value, {}, 0};
      for (const Quantity& quantity : slice_quantities(slice_of(measured, column, value), options)) {
        if (quantity.name == slice_metric(measured.view.task)) row.accuracy = metric_row(quantity, measured.suite);
        if (quantity.name == "confident_flips") row.confident_flips = value_of(quantity.evidence).value_or(0);
      }
      rows.push_back(std::move(row));
    }
  }
}

WorstRow worst_row(const SampleRecord& record) {
  WorstRow row;
  row.suite = record.suite;
  row.id = record.id;
  row.text = record.text;
  if (const NetworkTask* task = network_task(record.task)) {
    task->worst(record, row);
  } else if (has_answers(record.task)) {
    const ChoiceOutcome outcome = outcome_of(record);
    row.expected = record.choices[static_cast<size_t>(record.answer)];
    row.reference = record.choices[static_cast<size_t>(outcome.reference_pick)];
    row.candidate = record.choices[static_cast<size_t>(outcome.candidate_pick)];
    row.reference_probability = outcome.reference_confidence;
    row.candidate_probability = outcome.candidate_confidence;
    row.loss = outcome.reference_probability - outcome.candidate_probability;
  } else if (record.task == Task::divergence) {
    row.text = record.worst.before;
    row.expected = record.worst.token;
    row.reference = record.worst.reference;
    row.candidate = record.worst.candidate;
    row.loss = record.worst.kl;
  } else {
    const double loss = record.reference_log_probability - record.candidate_log_probability;
    row.loss = loss / static_cast<double>(record.tokens);
  }
  return row;
}

// Per suite, the samples that lost most, answers lost before answers kept.
void add_worst(const Measured& measured, size_t count, std::vector<WorstRow>& rows) {
  struct Entry {
    bool flipped;
    WorstRow row;
  };
  std::vector<Entry> entries;
  for (const SampleRecord* record : measured.view.records) {
    bool flipped = false;
    if (has_answers(record->task)) {
      const ChoiceOutcome outcome = outcome_of(*record);
      flipped = outcome.reference_right && !outcome.candidate_right;
    }
    WorstRow row = worst_row(*record);
    if (row.loss > 0) entries.push_back({flipped, std::move(row)});
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.flipped != b.flipped ? a.flipped : a.row.loss > b.row.loss;
  });
  if (entries.size() > count) entries.resize(count);
  for (Entry& entry : entries) rows.push_back(std::move(entry.row));
}

struct SuiteRecords {
  std::string name;
  std::vector<const SampleRecord*> records;
};

Result<std::vector<SuiteRecords>> by_suite(std::span<const SampleRecord> records) {
  if (records.empty()) return invalid_input("[compare] expected at least one sample record, got none");
  std::vector<SuiteRecords> suites;
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const SampleRecord& record : records) {
    if (record.candidate != records[0].candidate || record.split != records[0].split)
      return invalid_input("[compare] expected records of one candidate and split, got {} ({}) and {} ({})",
                           records[0].candidate, split_name(records[0].split), record.candidate,
                           split_name(record.split));
    if (!seen.insert({record.suite, record.id}).second)
      return invalid_input("[compare] {}: expected each sample once per candidate, got {} again", record.suite,
                           record.id);
    auto found =
        std::find_if(suites.begin(), suites.end(), [&](const auto& suite) { return suite.name == record.suite; });
    if (found == suites.end()) found = suites.insert(found, {record.suite, {}});
    if (!found->records.empty() && found->records[0]->task != record.task)
      return invalid_input("[compare] {}: expected one task per suite, got {} and {}", record.suite,
                           task_name(found->records[0]->task), task_name(record.task));
    found->records.push_back(&record);
  }
  for (const SuiteRecords& suite : suites)
    if (std::all_of(suite.records.begin(), suite.records.end(), [](const auto* record) { return is_shifted(*record); }))
      return invalid_input("[compare] {}: expected samples beside their shifted copies, got none", suite.name);
  return suites;
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  return verdict == Verdict::pass ? "pass" : verdict == Verdict::fail ? "fail" : "inconclusive";
}

Result<Comparison> compare(std::span<const SampleRecord> records, const Gate* gate, const CompareOptions& options) {
  HALFTONE_ASSIGN(std::vector<SuiteRecords> suites, by_suite(records));
  Comparison comparison;
  comparison.candidate = records[0].candidate;
  comparison.split = records[0].split;
  comparison.replicates = options.replicates;
  comparison.seed = options.seed;
  std::vector<Measured> measured;
  for (SuiteRecords& suite : suites)
    measured.push_back(measure(suite.name, view_of(std::move(suite.records)), options));
  for (const Measured& suite : measured) {
    for (const Quantity& quantity : suite.quantities) {
      if (!is_shown(quantity)) continue;
      comparison.metrics.push_back(metric_row(quantity, suite.suite));
      if (quantity.name == accuracy_metric(suite.view.task))
        comparison.metrics.back().mcnemar_p = mcnemar_of(suite.view);
    }
    for (const Distribution& distribution : suite.distributions)
      comparison.tails.push_back(
          {std::string(distribution.name), suite.suite, std::string(distribution.n_unit), distribution.tails});
    add_slices(suite, options, comparison.slices);
    if (const NetworkTask* task = network_task(suite.view.task); task != nullptr && task->classes != nullptr)
      task->classes(suite.view, suite.suite, comparison.slices);
    add_worst(suite, options.worst, comparison.worst);
  }
  if (gate != nullptr) {
    HALFTONE_ASSIGN(comparison.gate, apply_gate(*gate, measured, options));
  }
  return comparison;
}

std::vector<std::vector<SampleRecord>> by_candidate(std::vector<SampleRecord> records) {
  std::vector<std::vector<SampleRecord>> parts;
  std::map<std::pair<std::string, Split>, size_t> places;
  for (SampleRecord& record : records) {
    const size_t place = places.emplace(std::pair(record.candidate, record.split), parts.size()).first->second;
    if (place == parts.size()) parts.emplace_back();
    parts[place].push_back(std::move(record));
  }
  return parts;
}

}  // namespace halftone
