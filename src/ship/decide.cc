// SPDX-License-Identifier: Apache-2.0
#include "ship/decide.h"

#include <fmt/format.h>

#include <algorithm>

#include "ship/labels.h"

namespace halftone {

std::string_view fate_name(Fate fate) {
  switch (fate) {
    case Fate::pass: return "pass";
    case Fate::fail: return "fail";
    case Fate::inconclusive: return "inconclusive";
    case Fate::over_budget: return "over budget";
    case Fate::not_tested: break;
  }
  return "not tested";
}

Fate fate_of(Verdict verdict) {
  return verdict == Verdict::pass ? Fate::pass : verdict == Verdict::fail ? Fate::fail : Fate::inconclusive;
}

Decision decide(std::span<const Contender> contenders) {
  Decision decision;
  for (size_t i = 0; i < contenders.size(); ++i)
    if (contenders[i].fate == Fate::pass && (!decision.winner || contenders[i].bytes < contenders[*decision.winner].bytes)) decision.winner = i;
  const bool unsure = std::any_of(contenders.begin(), contenders.end(), [](const Contender& c) { return c.fate == Fate::inconclusive; });
  decision.verdict = decision.winner ? Verdict::pass : unsure ? Verdict::inconclusive : Verdict::fail;
  for (size_t i = 0; i < contenders.size(); ++i) {
    const Contender& contender = contenders[i];
    if (decision.winner == i) {
      decision.reasons.emplace_back("the smallest that passes");
    } else if (contender.fate == Fate::pass) {
      const Contender& best = contenders[*decision.winner];
      decision.reasons.push_back(fmt::format("passes, but {} passes too and is {}", best.name, best.bytes < contender.bytes ? "smaller" : "as small"));
    } else {
      decision.reasons.push_back(contender.why);
    }
  }
  return decision;
}

std::string why_not(const GateResult& gate) {
  std::string out;
  for (Verdict wanted : {Verdict::fail, Verdict::inconclusive}) {
    for (const CheckRow& row : gate.checks) {
      if (row.verdict != wanted) continue;
      const std::string slice = row.check.slice_column.empty() ? "" : row.check.slice_column + "=" + row.check.slice_value;
      out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", check_label(row.check.metric, slice), row.reason);
    }
    if (!out.empty()) break;
  }
  return out;
}

}  // namespace halftone
