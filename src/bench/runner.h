// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bench/bench.h"
#include "bench/cost.h"
#include "device/probes.h"
#include "models/language_model.h"
#include "runtime/session.h"

namespace halftone {

// A stretch of decoding between two reads of the same weights.
struct DecodeSlice {
  int64_t held = 0, tokens = 0;  // held: tokens in the context when it began
  double seconds = 0;
  double read_bandwidth = 0;  // of the reads before and after it together
};

struct VerifySample {
  int path = 0;  // index into Runner::verify_paths
  int64_t tokens = 0;
  double seconds = 0, ratio_to_one = 0;
};

// What one round of one model took.
struct Round {
  double prefill_seconds = 0, first_token_seconds = 0, decode_seconds = 0;
  double linear_seconds = 0, linear_int8_operations = 0, linear_f32_operations = 0,
         linear_bf16_operations = 0;  // of the prefill
  ComputePeaks peaks;                 // right before and after the prefill
  std::vector<DecodeSlice> slices;
  std::vector<VerifySample> verify;
  int64_t kv_bytes = 0, generated_tokens = 0;
  double read_bandwidth() const;  // mean of the slices'
};

// A loaded model with its executor, and the work that is measured.
class Runner {
 public:
  static Result<Runner> load(const std::filesystem::path& path, const BenchOptions& options, int threads);

  // probe: measures limits beside the phases, and the cost of verifying.
  Result<Round> round(bool probe);
  // Fills the context, then decodes short bursts until two in a row take the same time within 5 %; false when 8 did not
  // settle.
  Result<bool> warm_up(double& spread);
  Result<ModelProfile> profile();
  // The first token id of the prompt through the model.
  Status one_token();

  const LanguageModel& language_model() const { return *language_model_; }
  Executor& executor() { return *executor_; }
  std::vector<std::string> verify_paths() const;  // activations that the executors of VerifySample::path use
  int64_t context_tokens() const {
    return options_.context_tokens > 0 ? options_.context_tokens : options_.prompt_tokens;
  }
  PhaseCost prefill_cost() const;
  PhaseCost decode_cost(int64_t held, int64_t tokens) const;

 private:
  Runner() = default;
  Status check_lengths(const std::filesystem::path& path) const;
  Status fill_context();
  Result<Sequence> decode_start(TokenId& first);  // a sequence with the context held
  Status prefill_round(Sequence& sequence, Round& round, TokenId& first, bool probe);
  Status decode_round(Sequence& sequence, TokenId next, Round& round, bool probe);
  Status verify_round(Round& round);
  Result<double> verify_seconds(Executor& executor, int64_t tokens);
  Status decode(Sequence& sequence, TokenId& next, int64_t tokens);
  double read_bandwidth_of_weights();

  BenchOptions options_;
  std::shared_ptr<const LanguageModel> language_model_;
  std::unique_ptr<Executor> executor_, other_executor_;  // other: the other activation path, for verifying
  std::vector<TokenId> tokens_;                          // the prompt and what fills a longer context
  std::optional<Sequence> held_;                         // the filled context; rounds decode on forks
  std::vector<std::span<const std::byte>> weight_ranges_;
  double token_seconds_ = 0;  // of decoding, when warm
};

// Ranges that hold all of `spans`, sorted, shared bytes once. Spans of one file are joined across small gaps
// (alignment, norms).
std::vector<std::span<const std::byte>> joined_ranges(std::vector<std::span<const std::byte>> spans,
                                                      std::span<const std::span<const std::byte>> files);

}  // namespace halftone
