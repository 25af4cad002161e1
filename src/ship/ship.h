// SPDX-License-Identifier: Apache-2.0
// The whole job: candidates -> speed -> scores -> decision -> sealed part -> artifact with evidence.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "halftone/status.h"
#include "quantize/calibration/calibration.h"
#include "ship/speed.h"
#include "validate/compare.h"

namespace halftone {

struct ShipOptions {
  std::filesystem::path model;
  std::filesystem::path output;     // empty: NAME.ht here
  std::vector<std::string> suites;  // YAML files or shorthands; empty, and no text: suite.yaml of the model's folder
  std::filesystem::path text;       // divergence on this text, default gate
  std::filesystem::path gate;       // empty: gate.yaml beside the model's suite.yaml, or the default gate for text
  // Presets or YAML files; empty: int8, int4, int4-channel and int3, or with calibration int8 and the -best of these
  // (of a language model mixed-4.5 and lut4-best, too).
  std::vector<std::string> recipes;
  std::filesystem::path calibration;  // for recipes that use data; may share nothing with the suites
  CalibrationOptions calibration_options;
  std::optional<int64_t> max_bytes, max_memory_bytes;
  std::optional<double> min_decode_tokens_per_second;
  SpeedOptions speed;  // threads and activations hold for the scores too
  bool replace = false;
  // Called once gate, suites and split are fixed and written down, before the first score.
  std::function<void(const nlohmann::ordered_json& fixed)> on_fixed;
};

struct ShipOutcome {
  nlohmann::ordered_json report;  // evidence/report.json
  Verdict verdict = Verdict::inconclusive;
  std::filesystem::path artifact;  // empty when nothing ships
  std::filesystem::path evidence;  // folder
};

// Suites of fewer samples are not split: candidates are tested from most bytes to fewest, and the first that does not
// pass ends it.
inline constexpr int64_t kSplitSamples = 600;

// Errors leave nothing behind. When nothing ships, the evidence alone is written, as NAME.evidence.
Result<ShipOutcome> ship(const ShipOptions& options, Progress& progress);

}  // namespace halftone
