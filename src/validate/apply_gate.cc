// SPDX-License-Identifier: Apache-2.0
#include "validate/apply_gate.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/units.h"
#include "base/yaml.h"
#include "metrics/paired.h"
#include "validate/text.h"

namespace halftone {
namespace {

using Kind = GateMetric::Kind;

constexpr double kAlpha = 0.05;

// A check bound to the evidence it is about, in the evidence's own terms.
struct BoundCheck {
  CheckRow row;
  std::optional<Evidence> evidence;
  double limit = 0;  // of the evidence; larger is worse
};

double shown(const CheckRow& row, double evidence) {
  const GateMetric& metric = *find_gate_metric(row.check.metric);
  return (metric.offset + metric.scale * evidence) / unit_size(row.check.unit);
}

double hidden(const CheckRow& row, double value) {
  const GateMetric& metric = *find_gate_metric(row.check.metric);
  return (value * unit_size(row.check.unit) - metric.offset) / metric.scale;
}

std::string figure(const CheckRow& row, double value) {
  if (row.check.unit == "bytes") return format_bytes(static_cast<int64_t>(value));
  return fmt::format("{:.4g} {}", value, row.check.unit == "tokens_per_second" ? "tok/s" : row.check.unit);
}

void attach(BoundCheck& bound, Evidence evidence, int64_t n, std::string_view n_unit) {
  bound.row.n = n;
  bound.row.n_unit = n_unit;
  bound.limit = hidden(bound.row, bound.row.check.limit);
  if (const auto value = value_of(evidence)) bound.row.value = shown(bound.row, *value);
  if (const auto bounds = one_sided_95(evidence)) {
    const double a = shown(bound.row, bounds->low), b = shown(bound.row, bounds->high);
    bound.row.low = std::min(a, b);
    bound.row.high = std::max(a, b);
  }
  bound.evidence = std::move(evidence);
}

std::optional<Evidence> fact(const GateMetric& metric, const CandidateFacts& facts) {
  if (metric.name == "bytes" && facts.bytes) return FactEvidence{static_cast<double>(*facts.bytes), {}};
  if (metric.name == "memory_bytes" && facts.memory_bytes)
    return FactEvidence{static_cast<double>(*facts.memory_bytes), {}};
  if (metric.name == "decode_tokens_per_second" && facts.decode_tokens_per_second) {
    FactEvidence evidence{-*facts.decode_tokens_per_second, {}};
    if (facts.decode_interval) evidence.one_sided = Interval{-facts.decode_interval->high, -facts.decode_interval->low};
    return evidence;
  }
  return std::nullopt;
}

// The check on one suite (or slice); false when the suite does not measure the metric.
bool bind_to(const Measured& measured, BoundCheck& bound) {
  const GateMetric& metric = *find_gate_metric(bound.row.check.metric);
  bound.row.check.suite = measured.suite;
  if (metric.kind == Kind::tail) {
    for (const Distribution& distribution : measured.distributions) {
      if (distribution.name != metric.quantity) continue;
      for (const Quantile& quantile : distribution.tails.quantiles) {
        if (quantile.quantile != metric.quantile) continue;
        attach(bound, TailEvidence{distribution.values, distribution.groups, quantile}, distribution.tails.n,
               distribution.n_unit);
        return true;
      }
    }
    return false;
  }
  for (const Quantity& quantity : measured.quantities) {
    if (quantity.name != metric.quantity) continue;
    attach(bound, quantity.evidence, quantity.n, quantity.n_unit);
    return true;
  }
  return false;
}

class Binder {
 public:
  Binder(std::span<const Measured> suites, const CompareOptions& options) : suites_(suites), options_(options) {}

  Status add(const GateCheck& check) {
    const GateMetric& metric = *find_gate_metric(check.metric);
    if (metric.kind == Kind::fact) {
      BoundCheck& bound = bound_.emplace_back();
      bound.row.check = check;
      if (auto evidence = fact(metric, options_.facts)) attach(bound, *std::move(evidence), 1, "measurements");
      return {};
    }
    const size_t before = bound_.size();
    bool has_suite = check.suite.empty();
    for (const Measured& suite : suites_) {
      if (!check.suite.empty() && suite.suite != check.suite) continue;
      has_suite = true;
      HALFTONE_TRY(add_to(suite, check));
    }
    if (!has_suite)
      return invalid_input("[gate] {}: expected one of the suites that ran, got \"{}\"", describe(check), check.suite);
    if (bound_.size() == before)
      return invalid_input(
          "[gate] {}: expected a suite that measures {}{}, got none; add such a suite or remove the check",
          describe(check), metric.quantity, check.slice_column.empty() ? "" : " and has that slice");
    return {};
  }

  std::vector<BoundCheck>& bound() { return bound_; }

 private:
  Status add_to(const Measured& suite, const GateCheck& check) {
    BoundCheck bound;
    bound.row.check = check;
    if (check.slice_column.empty()) {
      if (bind_to(suite, bound)) bound_.push_back(std::move(bound));
      return {};
    }
    const Kind kind = find_gate_metric(check.metric)->kind;
    const auto key = std::tuple(suite.suite, check.slice_column, check.slice_value, kind);
    auto found = slices_.find(key);
    if (found == slices_.end()) {
      SampleView view = slice_of(suite, check.slice_column, check.slice_value);
      if (view.records.empty()) return no_slice(suite, check);
      found = slices_.emplace(key, measure_for(kind, suite.suite, std::move(view), options_)).first;
    }
    if (bind_to(found->second, bound)) bound_.push_back(std::move(bound));
    return {};
  }

  // An empty slice of a suite that has the column is an error; a suite without the column is not asked.
  Status no_slice(const Measured& suite, const GateCheck& check) const {
    std::set<std::string> values;
    for (const SampleView* view : {&suite.view, &suite.shifted})
      for (const SampleRecord* record : view->records)
        for (const auto& [column, value] : record->slices)
          if (column == check.slice_column) values.insert(value);
    if (values.empty()) return {};
    return invalid_input("[gate] {}: expected a value of {} that samples have, got \"{}\"; there are {}",
                         describe(check), check.slice_column, check.slice_value, fmt::join(values, ", "));
  }

  std::span<const Measured> suites_;
  const CompareOptions& options_;
  std::vector<BoundCheck> bound_;
  std::map<std::tuple<std::string, std::string, std::string, Kind>, Measured> slices_;
};

bool is_fact(const BoundCheck& bound) { return find_gate_metric(bound.row.check.metric)->kind == Kind::fact; }

// Adjusted p-values of the checks that are tests (facts are exact or carry their own interval).
void adjust(std::vector<BoundCheck>& checks) {
  std::vector<size_t> tested;
  std::vector<double> p_values;
  for (size_t i = 0; i < checks.size(); ++i) {
    if (!checks[i].evidence || is_fact(checks[i])) continue;
    if (const auto p = beyond_p(*checks[i].evidence, checks[i].limit)) {
      tested.push_back(i);
      p_values.push_back(*p);
    }
  }
  const std::vector<double> adjusted = holm_adjusted(p_values);
  for (size_t k = 0; k < tested.size(); ++k) checks[tested[k]].row.p = adjusted[k];
}

// An estimate has no more digits than this.
std::string about(int64_t n) {
  return format_count(n < 1000 ? n : static_cast<int64_t>(round_significant(static_cast<double>(n), 2)));
}

std::string inconclusive_reason(const BoundCheck& bound) {
  const CheckRow& row = bound.row;
  const std::string needs = row.needs_n ? fmt::format("needs n of about {} {}", about(*row.needs_n), row.n_unit)
                                        : "the measured value sits on the limit: no affordable n would decide";
  if (!row.value) return fmt::format("{} {} carry no such figure; {}", format_count(row.n), row.n_unit, needs);
  if (is_fact(bound))
    return fmt::format("{}, 95 % bounds {} to {}, straddles the limit {}", figure(row, *row.value),
                       figure(row, *row.low), figure(row, *row.high), figure(row, row.check.limit));
  if (!row.low) return fmt::format("{} of too few groups for an interval; {}", figure(row, *row.value), needs);
  const bool minimum = find_gate_metric(row.check.metric)->minimum;
  return fmt::format("{}, but the 95 % bound {} is beyond the limit {}; {}", figure(row, *row.value),
                     figure(row, minimum ? *row.low : *row.high), figure(row, row.check.limit), needs);
}

void judge(BoundCheck& bound) {
  CheckRow& row = bound.row;
  if (!bound.evidence) {
    row.reason = "not measured here; `ship` measures it";
    return;
  }
  const bool minimum = find_gate_metric(row.check.metric)->minimum;
  const auto bounds = one_sided_95(*bound.evidence);
  const bool beyond = is_fact(bound) ? bounds->low > bound.limit : row.p && *row.p <= kAlpha;
  if (bounds && bounds->high <= bound.limit) {
    row.verdict = Verdict::pass;
    row.reason = fmt::format("{}, 95 % bound {} inside the limit {}", figure(row, *row.value),
                             figure(row, minimum ? *row.low : *row.high), figure(row, row.check.limit));
  } else if (beyond) {
    row.verdict = Verdict::fail;
    row.reason = fmt::format("{} is beyond the limit {}", figure(row, row.value.value_or(row.check.limit)),
                             figure(row, row.check.limit));
    if (row.p) row.reason += fmt::format(" (p {:.2g} after Holm's correction)", *row.p);
  } else {
    row.needs_n = needed_samples(*bound.evidence, bound.limit, row.n);
    row.reason = inconclusive_reason(bound);
  }
}

}  // namespace

Measured measure(std::string suite, SampleView view, const CompareOptions& options) {
  Measured measured{std::move(suite), {}, {}, {}, {}};
  std::vector<const SampleRecord*> own, shifted;
  for (const SampleRecord* record : view.records) (is_shifted(*record) ? shifted : own).push_back(record);
  measured.view = shifted.empty() ? std::move(view) : view_of(std::move(own));
  measured.shifted = view_of(std::move(shifted));
  measured.quantities = rates_of(measured.view);
  for (Quantity& quantity : means_of(measured.view, options.replicates, options.seed))
    measured.quantities.push_back(std::move(quantity));
  for (Quantity& quantity : shifts_of(measured.view, measured.shifted, options.replicates, options.seed))
    measured.quantities.push_back(std::move(quantity));
  measured.distributions = distributions_of(measured.view);
  return measured;
}

Measured measure_for(Kind kind, std::string suite, SampleView view, const CompareOptions& options) {
  Measured measured{std::move(suite), std::move(view), {}, {}, {}};
  if (kind == Kind::rate) measured.quantities = rates_of(measured.view);
  if (kind == Kind::mean) measured.quantities = means_of(measured.view, options.replicates, options.seed);
  if (kind == Kind::tail) measured.distributions = distributions_of(measured.view);
  return measured;
}

SampleView slice_of(const Measured& measured, std::string_view column, std::string_view value) {
  std::vector<const SampleRecord*> records;
  const SampleView& view = column == kOodColumn ? measured.shifted : measured.view;
  for (const SampleRecord* record : view.records) {
    const auto& slices = record->slices;
    if (std::any_of(slices.begin(), slices.end(),
                    [&](const auto& s) { return s.first == column && s.second == value; }))
      records.push_back(record);
  }
  return view_of(std::move(records));
}

Result<GateResult> apply_gate(const Gate& gate, std::span<const Measured> suites, const CompareOptions& options) {
  Binder binder(suites, options);
  for (const GateCheck& check : gate.checks) HALFTONE_TRY(binder.add(check));
  adjust(binder.bound());
  GateResult result;
  result.verdict = Verdict::pass;
  for (BoundCheck& bound : binder.bound()) {
    judge(bound);
    if (bound.row.verdict == Verdict::fail) result.verdict = Verdict::fail;
    if (bound.row.verdict == Verdict::inconclusive && result.verdict == Verdict::pass)
      result.verdict = Verdict::inconclusive;
    result.checks.push_back(std::move(bound.row));
  }
  return result;
}

}  // namespace halftone
