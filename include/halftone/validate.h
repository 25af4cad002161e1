// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/model.h"
#include "halftone/session.h"
#include "halftone/status.h"

namespace halftone {

enum class Verdict : uint8_t { pass, fail, inconclusive };
std::string_view verdict_name(Verdict verdict);

struct ValidationSettings {
  SessionSettings session;    // of both models
  std::string gate;           // YAML file; empty: metrics only
  std::string split = "all";  // all, decide or confirm
  uint64_t seed = 1;          // of the bootstrap
};

struct ValidationSummary {
  bool gated = false;
  Verdict verdict = Verdict::inconclusive;  // of the gate, when there is one
  std::string report_json;                  // metrics, tails, slices, worst samples, checks: docs/schema/validate.json
  std::string samples_jsonl;                // every sample's scores: the report follows from them
};

// Scores the candidate against the reference, sample by sample, on each suite: a YAML file, or choices:FILE.csv,
// divergence:FILE.txt, perplexity:FILE.txt. Errors: a sample that cannot be scored, an empty suite, tokenizers that
// differ.
Result<ValidationSummary> validate_models(const ModelPtr& reference, const ModelPtr& candidate,
                                          const std::vector<std::string>& suites,
                                          const ValidationSettings& settings = {});

}  // namespace halftone
