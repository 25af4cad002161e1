// SPDX-License-Identifier: Apache-2.0
// The state of one ship run, stage by stage. Private to the room.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quantize/quantize.h"
#include "ship/decide.h"
#include "ship/ship.h"
#include "ship/weights.h"
#include "validate/score.h"

namespace halftone {

struct ShipCandidate {
  Recipe recipe;
  std::filesystem::path path;  // in the work folder
  QuantizeReport quantized;
  WeightSummary weights;
  int64_t bytes = 0;  // of weights.safetensors
  Speed speed;
  Contender contender;
  std::string activations;  // that ran while scoring
  std::vector<SampleRecord> records;
  std::optional<Comparison> comparison;
};

struct ShipReference {
  std::string name;  // "float16"
  std::string family, sha256;
  int64_t context = 0, bytes = 0;
  WeightSummary weights;
  Speed speed;
  std::string activations;
};

struct ShipJob {
  const ShipOptions& options;
  Progress& progress;
  std::filesystem::path output;

  // inputs.cc
  std::vector<Suite> suites;
  Gate gate;  // budgets included
  std::string gate_source;
  std::vector<ShipCandidate> candidates;

  // make.cc
  ShipReference reference;
  SpeedReport speed;

  // score.cc
  bool split = false;
  int64_t samples = 0;
  std::vector<PreparedSuite> decide, confirm;
  nlohmann::ordered_json fixed;
  Decision decision;
  std::vector<SampleRecord> confirm_records;
  std::optional<Comparison> confirm_comparison;

  nlohmann::ordered_json calibration = nullptr;  // what recipes that use data saw
};

Status read_inputs(ShipJob& job);
// An error when the suites hold text that is also in the calibration.
Status check_leakage(const ShipJob& job, const Sequences& calibration);
Status check_leakage(const ShipJob& job, const CalibrationArrays& calibration, const Shape& input);
Status make_candidates(ShipJob& job, const std::filesystem::path& work);
Status measure_candidates(ShipJob& job);
Status score_and_decide(ShipJob& job, const std::filesystem::path& work);

// Verdict of the whole run: the decision, and the sealed part where there is one.
Verdict verdict_of(const ShipJob& job);
nlohmann::ordered_json fixed_of(const ShipJob& job);  // what may not change once a score exists
// All four files; gives the report.
Result<nlohmann::ordered_json> write_evidence(const ShipJob& job, const std::filesystem::path& folder);
Result<nlohmann::ordered_json> report_of(const ShipJob& job, const std::string& samples_sha256);
CandidateFacts facts_of(const ShipCandidate& candidate);

}  // namespace halftone
