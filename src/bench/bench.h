// SPDX-License-Identifier: Apache-2.0
// Several models measured on one machine, interleaved round by round, phases apart. Settings are those that were in effect.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/progress.h"
#include "bench/interval.h"
#include "halftone/status.h"
#include "runtime/session.h"

namespace halftone {

struct BenchOptions {
  int64_t prompt_tokens = 512, decode_tokens = 64;
  int rounds = 6;   // the fewest that carry a 95 % interval of a median
  int threads = 0;  // 0: available cores
  Activations activations = Activations::int8;
  // A debug or sanitized build and a loaded or swapping machine are warnings in the result instead of errors.
  bool allow_noisy = false;
};

struct PhaseResult {
  int64_t tokens = 0;  // per round
  std::vector<double> seconds_samples;
  MedianInterval tokens_per_second;
  int64_t bytes_per_token = 0;    // weights and KV cache that one token must move at least
  double bandwidth_fraction = 0;  // of the read bandwidth over the same weights, measured next to it; median of the rounds
  double peak_fraction = 0;       // of the arithmetic peak of the paths that ran (int8 and f32 parts apart)
};

struct MemoryResult {
  int64_t weights_bytes = 0, kv_bytes = 0, scratch_bytes = 0;
  int64_t peak_private_bytes = 0, peak_mapped_bytes = 0;  // of the process while this was the only model in it
};

struct ModelBench {
  std::string model, activations;  // activations that ran: "int8", "exact", "mixed"
  double load_seconds = 0;         // folder to ready executor, the file already in the page cache
  MedianInterval first_token_seconds;    // prompt to first token, load not counted
  PhaseResult prefill, decode;
  double read_bandwidth = 0;       // bytes per second over this model's weights, median of the rounds
  MemoryResult memory;
  int64_t generated_tokens = 0;    // per round
  std::string stop_reason;
};

struct BenchReport {
  std::vector<ModelBench> models;
  double read_bandwidth = 0, int8_peak = 0, f32_peak = 0;  // measured in the same run; bytes/s, operations/s
  std::string isa;
  int threads = 0;
  BenchOptions options;  // as given
  std::vector<std::string> warnings;
  // The `results` of the envelope (docs/schema/bench.json).
  nlohmann::ordered_json to_json() const;
  // The `settings` of the envelope: what was in effect.
  nlohmann::ordered_json settings_json() const;
};

// The prompt is random token ids of a fixed seed, the continuation is greedy and does not stop at end tokens, so that every
// round does the same work. Errors: a build or machine that cannot be measured (see allow_noisy), a context that is too short.
Result<BenchReport> bench(const std::vector<std::filesystem::path>& models, const BenchOptions& options, Progress& progress);

}  // namespace halftone
