// SPDX-License-Identifier: Apache-2.0
// Which candidate ships, and why each other one does not. Pure: `recheck` decides again from the evidence.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "validate/compare.h"

namespace halftone {

enum class Fate : uint8_t {
  pass,
  fail,
  inconclusive,
  over_budget,  // its bytes alone exceed --max-bytes: not scored
  not_tested,   // a larger candidate did not pass (small suites)
};
std::string_view fate_name(Fate fate);  // "over budget"
Fate fate_of(Verdict verdict);

struct Contender {
  std::string name;
  int64_t bytes = 0;
  Fate fate = Fate::not_tested;
  std::string why;  // of everything but pass
};

struct Decision {
  std::optional<size_t> winner;
  Verdict verdict = Verdict::inconclusive;  // pass: there is a winner
  std::vector<std::string> reasons;         // one per contender
};

inline constexpr std::string_view kDecisionRule =
    "the fewest bytes among the candidates that pass the gate and the budgets";

// Ties in bytes go to the earlier contender. No winner: inconclusive when any contender is, else fail.
Decision decide(std::span<const Contender> contenders);

// The failed (or else inconclusive) checks of a gate in one line: "loss 8.9 points, limit 1.0 points; ...".
std::string why_not(const GateResult& gate);

}  // namespace halftone
