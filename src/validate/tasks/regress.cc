// SPDX-License-Identifier: Apache-2.0
// Numbers: mean absolute error, and its tail.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/numbers.h"
#include "validate/compare.h"
#include "validate/quantity_tools.h"
#include "validate/tasks/network_task.h"
#include "validate/text.h"

namespace halftone {
namespace {

constexpr size_t kMostTargets = 1000;
constexpr double kMostValue = 1e39;

Status parse_targets(const std::string& text, const std::map<std::string, std::string>&, ChoiceSample& sample) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    if (end > begin) {
      const auto number = parse_number(text.substr(begin, end - begin));
      if (!number || std::fabs(*number) > kMostValue)
        return invalid_input("value: expected numbers with spaces between, got \"{}\"", text);
      sample.numbers.push_back(*number);
    }
    begin = end + 1;
  }
  if (sample.numbers.empty() || sample.numbers.size() > kMostTargets)
    return invalid_input("value: expected 1 to {} numbers, got {}", kMostTargets, sample.numbers.size());
  return {};
}

void begin_regress(const ChoiceSample& sample, const Suite&, SampleRecord& record) { record.targets = sample.numbers; }

Status score_values(std::span<const Tensor> outputs, const SeenSample&, const PreparedSuite&, Side side,
                    SampleRecord& record) {
  if (outputs[0].elements() != static_cast<int64_t>(record.targets.size()))
    return invalid_input("output: expected {} numbers as the list has, got {}", record.targets.size(),
                         text_of(outputs[0].shape()));
  std::vector<double>& values = side == Side::reference ? record.reference_values : record.candidate_values;
  values.clear();
  for (const float value : outputs[0].values<float>())
    values.push_back(round_significant(static_cast<double>(value), kScoreDigits));
  return {};
}

void write_regress(const SampleRecord& record, nlohmann::ordered_json& line) {
  line["targets"] = record.targets;
  line["reference_values"] = record.reference_values;
  line["candidate_values"] = record.candidate_values;
}

void read_regress(RecordFields& fields, SampleRecord& record) {
  fields.numbers("targets", record.targets);
  fields.numbers("reference_values", record.reference_values);
  fields.numbers("candidate_values", record.candidate_values);
  if (record.targets.empty() || record.reference_values.size() != record.targets.size() ||
      record.candidate_values.size() != record.targets.size())
    fields.note("targets", "expected 1 or more, with a value of reference and candidate each");
  // Differences of what a float holds are numbers; of what JSON holds they need not be.
  for (const auto* values : {&record.targets, &record.reference_values, &record.candidate_values})
    if (std::any_of(values->begin(), values->end(), [](double value) { return std::fabs(value) > kMostValue; }))
      fields.note("targets", "expected numbers that a float holds");
}

// Of several numbers the mean.
double absolute_error(const SampleRecord& record, const std::vector<double>& values) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += std::fabs(values[i] - record.targets[i]);
  return sum / static_cast<double>(values.size());
}
double reference_error(const SampleRecord& record) { return absolute_error(record, record.reference_values); }
double candidate_error(const SampleRecord& record) { return absolute_error(record, record.candidate_values); }

std::vector<Quantity> regress_rates(const SampleView&) { return {}; }

std::vector<Quantity> regress_means(const SampleView& view, int64_t replicates, uint64_t seed) {
  std::vector<MeanPlan> plans = {mean_change(view, "absolute_error", -1, reference_error, candidate_error)};
  return bootstrapped(
      view, std::move(plans), [](const SampleRecord&) { return 1.0; }, replicates, seed);
}

std::vector<Distribution> regress_distributions(const SampleView& view) {
  return {distribution(view, "absolute_error", "samples",
                       [](const SampleRecord& record, Values& values) { values.push_back(candidate_error(record)); }),
          distribution(view, "error_increase", "samples", [](const SampleRecord& record, Values& values) {
            values.push_back(candidate_error(record) - reference_error(record));
          })};
}

std::string shown_values(const std::vector<double>& values) {
  constexpr size_t kShown = 4;
  std::string out;
  for (size_t i = 0; i < std::min(kShown, values.size()); ++i)
    out += fmt::format("{}{:.5g}", i == 0 ? "" : " ", values[i]);
  return values.size() > kShown ? out + " ..." : out;
}

void regress_worst(const SampleRecord& record, WorstRow& row) {
  row.expected = shown_values(record.targets);
  row.reference = shown_values(record.reference_values);
  row.candidate = shown_values(record.candidate_values);
  row.loss = candidate_error(record) - reference_error(record);
}

}  // namespace

const NetworkTask kRegressTask = {.task = Task::regress,
                                  .column = "value",
                                  .primary = "absolute_error",
                                  .tail = "absolute_error",
                                  .parse_keys = nullptr,
                                  .parse_target = parse_targets,
                                  .begin = begin_regress,
                                  .score = score_values,
                                  .finish = nullptr,
                                  .write = write_regress,
                                  .read = read_regress,
                                  .rates = regress_rates,
                                  .means = regress_means,
                                  .distributions = regress_distributions,
                                  .worst = regress_worst,
                                  .classes = nullptr};

}  // namespace halftone
