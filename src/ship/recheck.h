// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "halftone/status.h"

namespace halftone {

struct RecheckResult {
  int64_t samples = 0;   // lines of samples.jsonl
  int64_t values = 0;    // numbers and texts of report.json that were rebuilt and agree
  std::string decision;  // the rebuilt decision's sentence
  bool same = false;
  std::string difference;  // the first one: where, what the report says, what the samples give
  nlohmann::ordered_json report;
};

// Rebuilds every interval, check and verdict of an evidence folder (or an artifact that holds one) from samples.jsonl,
// without the model, and compares with report.json. Also: hashes of gate, split and samples, each sample's side of the
// split, and the decision. Speeds and bytes are measurements: they are taken as reported. An error: the folder is no
// evidence, or a file in it cannot be read.
Result<RecheckResult> recheck_evidence(const std::filesystem::path& folder);

}  // namespace halftone
