// SPDX-License-Identifier: Apache-2.0
#include "ship/quality.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "validate/quantities.h"
#include "validate/text.h"

namespace halftone {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kCurvePoints = 120;
constexpr int kPageDigits = 5;

// The values at about 120 ranks, counted from the largest and spaced evenly in the logarithm, so that the tail is drawn
// exactly.
Json curve_of(const Distribution& distribution) {
  std::vector<double> values = *distribution.values;
  std::sort(values.begin(), values.end(), std::greater<>());
  const auto n = static_cast<int64_t>(values.size());
  Json ranks = Json::array(), points = Json::array();
  int64_t last = 0;
  for (int i = 0; i <= kCurvePoints; ++i) {
    const auto rank =
        std::clamp<int64_t>(std::llround(std::pow(static_cast<double>(n), static_cast<double>(i) / kCurvePoints)), 1,
                            std::max<int64_t>(n, 1));
    if (rank == last || rank > n) continue;
    last = rank;
    ranks.push_back(rank);
    points.push_back(round_significant(values[static_cast<size_t>(rank - 1)], kPageDigits));
  }
  return {{"n", n}, {"ranks", std::move(ranks)}, {"values", std::move(points)}};
}

Json rounded(const std::vector<double>& values) {
  Json out = Json::array();
  for (double value : values) out.push_back(round_significant(value, kPageDigits));
  return out;
}

void add_details(const SampleRecord& record, Json& worst) {
  Json slices = Json::object();
  for (const auto& [column, value] : record.slices) slices[column] = value;
  worst["slices"] = std::move(slices);
  if (!has_answers(record.task)) return;
  worst["choices"] = record.choices;
  worst["answer"] = record.answer;
  worst["reference_probabilities"] = rounded(probabilities_of(record, record.reference_scores));
  worst["candidate_probabilities"] = rounded(probabilities_of(record, record.candidate_scores));
}

Json pairs_of(std::span<const SampleRecord> records) {
  int64_t both = 0, reference = 0, candidate = 0, neither = 0;
  for (const SampleRecord& record : records) {
    if (!has_answers(record.task) || is_shifted(record)) continue;
    const ChoiceOutcome outcome = outcome_of(record);
    int64_t& count = outcome.reference_right ? (outcome.candidate_right ? both : reference)
                                             : (outcome.candidate_right ? candidate : neither);
    ++count;
  }
  return {{"both_right", both}, {"only_reference", reference}, {"only_candidate", candidate}, {"both_wrong", neither}};
}

}  // namespace

Json quality_json(const Comparison& comparison, std::span<const SampleRecord> records) {
  Json out = to_json(comparison);
  std::map<std::pair<std::string_view, std::string_view>, const SampleRecord*> by_id;
  std::map<std::string_view, std::vector<const SampleRecord*>> by_suite;
  for (const SampleRecord& record : records) {
    by_id[{record.suite, record.id}] = &record;
    if (!is_shifted(record)) by_suite[record.suite].push_back(&record);
  }
  for (size_t i = 0; i < comparison.worst.size(); ++i)
    add_details(*by_id.at({comparison.worst[i].suite, comparison.worst[i].id}), out["worst"][i]);
  Json curves = Json::object();
  for (auto& [suite, of_suite] : by_suite)
    for (const Distribution& distribution : distributions_of(view_of(std::move(of_suite)))) {
      const std::string name(distribution.name);
      curves[out["tails"].contains(name) ? name : std::string(suite) + ":" + name] = curve_of(distribution);
    }
  out["distribution"] = std::move(curves);
  out["pairs"] = pairs_of(records);
  return out;
}

}  // namespace halftone
