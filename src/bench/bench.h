// SPDX-License-Identifier: Apache-2.0
// Several models measured on one machine, interleaved round by round, phases apart. Settings are those that were in
// effect. Every limit is measured in the same run, next to what is compared with it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "bench/interval.h"
#include "bench/profile.h"
#include "device/limits.h"
#include "halftone/status.h"
#include "runtime/session.h"

namespace halftone {

struct BenchOptions {
  int64_t prompt_tokens = 512, decode_tokens = 64;
  int64_t context_tokens = 0;          // held before decoding is measured; 0: the prompt's
  int rounds = 6;                      // the fewest that carry a 95 % interval of a median
  int threads = 0;                     // 0: available cores
  std::vector<int> thread_counts;      // each model is measured with each; empty: with `threads`
  std::vector<int64_t> verify_tokens;  // cost of appending so many at once against one, on both activation paths
  bool profile = false;                // time per step
  Activations activations = Activations::automatic;
  KvType kv = KvType::f16;
  // A debug or sanitized build and a loaded or swapping machine are warnings in the result instead of errors.
  bool allow_noisy = false;
};

struct PhaseResult {
  int64_t tokens = 0;  // per round
  std::vector<double> seconds_samples;
  MedianInterval tokens_per_second;
  int64_t bytes_per_token = 0;  // weights and KV cache that one token must move at least
  // Of the read bandwidth over the same weights. Decoding: one ratio per slice of at most half a second, against the
  // reads right before and after it; prefill: one per round.
  MedianInterval bandwidth_fraction;
  MedianInterval peak_fraction;  // of the arithmetic peak of the paths that ran, attention included; one per round
};

// Multiply-adds of the linears of a prefill against the peak of their path (int8 dot, bf16 dot or f32 FMA) measured
// beside them.
struct LinearResult {
  double operations = 0;                    // per prefill
  MedianInterval peak_fraction;             // over the time inside linears, quantization of activations included
  MedianInterval peak_fraction_end_to_end;  // over the whole prefill
};

// Appending `tokens` at once with logits of each, as verifying a draft does.
struct VerifyResult {
  std::string activations;  // that ran
  int64_t tokens = 0;
  MedianInterval seconds, ratio_to_one;  // ratio: to one token of the same cycle
};

struct MemoryResult {
  int64_t weights_bytes = 0, kv_bytes = 0, scratch_bytes = 0;
  int64_t peak_private_bytes = 0, peak_mapped_bytes = 0;  // of the process while this was the only model in it
};

struct ModelBench {
  std::string model, activations;  // activations that ran: "int8", "exact", "mixed"
  int threads = 0;
  int64_t context_tokens = 0;                  // held when decoding began
  double import_seconds = 0;                   // regrouping of another runtime's file; 0: not needed, or done before
  double load_seconds = 0;                     // folder to ready executor, the file already in the page cache; median
  MedianInterval load_to_first_token_seconds;  // the same and one token through the model
  MedianInterval first_token_seconds;          // prompt to first token, load not counted
  PhaseResult prefill, decode;
  LinearResult linear;
  std::vector<VerifyResult> verify;
  double read_bandwidth = 0;  // bytes per second over this model's weights, median of the reads
  MemoryResult memory;
  std::optional<ModelProfile> profile;
  int64_t generated_tokens = 0;  // per round
  std::string stop_reason;
};

struct BenchReport {
  std::vector<ModelBench> models;  // per model and thread count
  double read_bandwidth = 0, int8_peak = 0, bf16_peak = 0,
         f32_peak = 0;  // measured in the same run; bytes/s, operations/s
  std::string isa;
  int threads = 0;                      // of the first
  BenchOptions options;                 // as given
  std::optional<MachineLimits> limits;  // of an earlier probe of this machine, for comparison only
  std::vector<std::string> warnings;
  // The `results` of the envelope (docs/schema/bench.json).
  nlohmann::ordered_json to_json() const;
  // The `settings` of the envelope: what was in effect.
  nlohmann::ordered_json settings_json() const;
};

// The prompt is random token ids of a fixed seed, the continuation is greedy and does not stop at end tokens, so that
// every round does the same work. Errors: a build or machine that cannot be measured (see allow_noisy), a context that
// is too short.
Result<BenchReport> bench(const std::vector<std::filesystem::path>& models, const BenchOptions& options,
                          Progress& progress);

}  // namespace halftone
