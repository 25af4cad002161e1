// SPDX-License-Identifier: Apache-2.0
#include "ship/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"
#include "ship/labels.h"

namespace halftone {

namespace {

std::string figure(const CheckRow& row, double value) {
  const std::string& unit = row.check.unit;
  if (unit == "bytes") return format_bytes(static_cast<int64_t>(value));
  if (unit == "tokens_per_second") return fmt::format("{:.3g} tok/s", value);
  if (unit == "nats") return fmt::format("{:.3f} nats", value);
  return fmt::format("{:.{}f}{}", value, std::abs(value) < 0.095 && value != 0 ? 2 : 1,
                     unit == "percent"  ? " %"
                     : unit == "points" ? " points"
                                        : "");
}

// An estimate says no more than two digits: 691,994 reads "690,000".
std::string about(int64_t n) {
  int64_t step = 1;
  while (n / step >= 100) step *= 10;
  return format_count((n + step / 2) / step * step);
}

// "rare loss 31.0 points, limit 3.0 points"; "loss 0.9 points may be 1.6 points, limit 1.0 points; about 690,000
// questions would tell".
std::string in_short(const CheckRow& row) {
  const std::string slice = row.check.slice_column.empty() ? "" : row.check.slice_column + "=" + row.check.slice_value;
  std::string out = check_label(row.check.metric, slice);
  const GateMetric* metric = find_gate_metric(row.check.metric);
  const auto& bound = metric != nullptr && metric->minimum ? row.low : row.high;
  if (row.value)
    out += " " + figure(row, *row.value);
  else
    out += " unknown";
  if (row.verdict == Verdict::inconclusive && row.value && bound) out += " may be " + figure(row, *bound);
  out += ", limit " + figure(row, row.check.limit);
  if (row.verdict == Verdict::inconclusive && row.needs_n)
    out += fmt::format(" (about {} {} would tell)", about(*row.needs_n), row.n_unit);
  return out;
}

}  // namespace

std::string_view fate_name(Fate fate) {
  switch (fate) {
    case Fate::pass:
      return "pass";
    case Fate::fail:
      return "fail";
    case Fate::inconclusive:
      return "inconclusive";
    case Fate::over_budget:
      return "over budget";
    case Fate::not_tested:
      break;
  }
  return "not tested";
}

Fate fate_of(Verdict verdict) {
  return verdict == Verdict::pass ? Fate::pass : verdict == Verdict::fail ? Fate::fail : Fate::inconclusive;
}

Decision decide(std::span<const Contender> contenders) {
  Decision decision;
  for (size_t i = 0; i < contenders.size(); ++i)
    if (contenders[i].fate == Fate::pass &&
        (!decision.winner || contenders[i].bytes < contenders[*decision.winner].bytes))
      decision.winner = i;
  const bool unsure = std::any_of(contenders.begin(), contenders.end(),
                                  [](const Contender& c) { return c.fate == Fate::inconclusive; });
  decision.verdict = decision.winner ? Verdict::pass : unsure ? Verdict::inconclusive : Verdict::fail;
  for (size_t i = 0; i < contenders.size(); ++i) {
    const Contender& contender = contenders[i];
    if (decision.winner == i) {
      decision.reasons.emplace_back("the smallest that passes");
    } else if (contender.fate == Fate::pass) {
      const Contender& best = contenders[*decision.winner];
      decision.reasons.push_back(fmt::format("passes, but {} passes too and is {}", best.name,
                                             best.bytes < contender.bytes ? "smaller" : "as small"));
    } else {
      decision.reasons.push_back(contender.why);
    }
  }
  return decision;
}

std::string why_not(const GateResult& gate) {
  std::string out;
  for (Verdict wanted : {Verdict::fail, Verdict::inconclusive}) {
    for (const CheckRow& row : gate.checks)
      if (row.verdict == wanted) out += (out.empty() ? "" : "; ") + in_short(row);
    if (!out.empty()) break;
  }
  return out;
}

}  // namespace halftone
