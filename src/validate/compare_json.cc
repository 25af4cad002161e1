// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "validate/compare.h"

namespace halftone {
namespace {

using json = nlohmann::ordered_json;

json or_null(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

// The name alone, unless several suites have it.
template <class Row>
std::string key_of(const Row& row, const std::vector<Row>& rows) {
  const auto same = std::count_if(rows.begin(), rows.end(), [&](const Row& other) { return other.name == row.name; });
  return same > 1 ? fmt::format("{}:{}", row.suite, row.name) : row.name;
}

json metric_json(const MetricRow& row) {
  json out;
  out["suite"] = row.suite;
  out["reference"] = or_null(row.reference);
  out["candidate"] = or_null(row.candidate);
  out["delta"] = row.delta;
  out["low"] = row.interval ? json(row.interval->low) : json(nullptr);
  out["high"] = row.interval ? json(row.interval->high) : json(nullptr);
  out["n"] = row.n;
  out["n_unit"] = row.n_unit;
  out["groups"] = row.groups;
  out["method"] = row.method;
  if (row.mcnemar_p) out["mcnemar_p"] = *row.mcnemar_p;
  return out;
}

json tail_json(const TailRow& row) {
  json out, upper, needs = json::object();
  out["suite"] = row.suite;
  out["n"] = row.tails.n;
  out["n_unit"] = row.n_unit;
  out["effective_n"] = row.tails.effective_n;
  for (const Quantile& quantile : row.tails.quantiles) {
    const std::string name = fmt::format("p{:g}", quantile.quantile * 100);
    out[name] = or_null(quantile.value);
    upper[name] = or_null(quantile.upper);
    if (!quantile.value) needs[name] = quantile.needs;
  }
  out["max"] = row.tails.max;
  out["upper"] = std::move(upper);
  out["needs"] = std::move(needs);
  return out;
}

json slice_json(const SliceRow& row) {
  json out;
  out["suite"] = row.suite;
  out["column"] = row.column;
  out["value"] = row.value;
  out["n"] = row.accuracy.n;
  out["reference"] = or_null(row.accuracy.reference);
  out["candidate"] = or_null(row.accuracy.candidate);
  out["delta"] = row.accuracy.delta;
  out["low"] = row.accuracy.interval ? json(row.accuracy.interval->low) : json(nullptr);
  out["high"] = row.accuracy.interval ? json(row.accuracy.interval->high) : json(nullptr);
  out["confident_flips"] = row.confident_flips;
  return out;
}

json worst_json(const WorstRow& row) {
  json out;
  out["suite"] = row.suite;
  out["id"] = row.id;
  out["text"] = row.text;
  out["expected"] = row.expected;
  out["reference"] = row.reference;
  out["candidate"] = row.candidate;
  if (row.reference_probability) out["reference_probability"] = *row.reference_probability;
  if (row.candidate_probability) out["candidate_probability"] = *row.candidate_probability;
  out["loss"] = row.loss;
  return out;
}

json check_json(const CheckRow& row) {
  json out;
  const GateMetric* metric = find_gate_metric(row.check.metric);
  out["metric"] = row.check.metric;
  out["suite"] = row.check.suite;
  out["slice"] =
      row.check.slice_column.empty() ? "" : fmt::format("{}={}", row.check.slice_column, row.check.slice_value);
  out["bound"] = metric != nullptr && metric->minimum ? "min" : "max";
  out["limit"] = row.check.limit;
  out["unit"] = row.check.unit;
  out["value"] = or_null(row.value);
  out["low"] = or_null(row.low);
  out["high"] = or_null(row.high);
  out["p"] = or_null(row.p);
  out["verdict"] = verdict_name(row.verdict);
  out["n"] = row.n;
  out["n_unit"] = row.n_unit;
  if (row.needs_n) out["estimated"] = {{"needs_n", *row.needs_n}};
  out["reason"] = row.reason;
  return out;
}

}  // namespace

json to_json(const Comparison& comparison) {
  json out;
  out["candidate"] = comparison.candidate;
  out["split"] = split_name(comparison.split);
  out["metrics"] = json::object();
  for (const MetricRow& row : comparison.metrics) out["metrics"][key_of(row, comparison.metrics)] = metric_json(row);
  out["tails"] = json::object();
  for (const TailRow& row : comparison.tails) out["tails"][key_of(row, comparison.tails)] = tail_json(row);
  out["slices"] = json::array();
  for (const SliceRow& row : comparison.slices) out["slices"].push_back(slice_json(row));
  out["worst"] = json::array();
  for (const WorstRow& row : comparison.worst) out["worst"].push_back(worst_json(row));
  out["bootstrap"] = {{"replicates", comparison.replicates}, {"seed", comparison.seed}};
  if (comparison.gate) {
    json checks = json::array();
    for (const CheckRow& row : comparison.gate->checks) checks.push_back(check_json(row));
    out["gate"] = {{"verdict", verdict_name(comparison.gate->verdict)}, {"checks", std::move(checks)}};
  } else {
    out["gate"] = nullptr;
  }
  return out;
}

}  // namespace halftone
