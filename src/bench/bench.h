// SPDX-License-Identifier: Apache-2.0
// Several models measured on one machine, interleaved round by round, phases apart. Settings are those that were in effect.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/progress.h"
#include "halftone/status.h"
#include "models/language_model.h"
#include "runtime/session.h"

namespace halftone {

struct BenchOptions {
  int64_t prompt_tokens = 512, decode_tokens = 64;
  int rounds = 5;
  int threads = 0;
  Activations activations = Activations::int8;
  bool allow_noisy = false;  // a loaded or swapping machine is a warning in the result instead of an error
};

struct Interval {
  double median = 0, low = 0, high = 0;  // low, high: 95 % interval of the median (order statistics)
};

struct PhaseResult {
  int64_t tokens = 0;  // per round
  std::vector<double> seconds_samples;
  Interval tokens_per_second;
  int64_t bytes_per_token = 0;
  double bandwidth_fraction = 0;  // of the read bandwidth measured in the same rounds
  double peak_fraction = 0;       // of the arithmetic peak
};

struct MemoryResult {
  int64_t weights_bytes = 0, kv_bytes = 0, scratch_bytes = 0, peak_private_bytes = 0, peak_mapped_bytes = 0;
};

struct ModelBench {
  std::string model, activations;
  double load_seconds = 0;
  Interval first_token_seconds;
  PhaseResult prefill, decode;
  MemoryResult memory;
  int64_t generated_tokens = 0;
  std::string stop_reason;
};

struct BenchReport {
  std::vector<ModelBench> models;
  double read_bandwidth = 0, int8_peak = 0, f32_peak = 0;  // measured in the same run; bytes/s, operations/s
  std::vector<std::string> warnings;
  nlohmann::ordered_json to_json() const;
};

Result<BenchReport> bench(const std::vector<std::filesystem::path>& models, const BenchOptions& options, Progress& progress);

}  // namespace halftone
