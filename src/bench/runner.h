// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "bench/bench.h"
#include "bench/cost.h"
#include "models/language_model.h"
#include "runtime/session.h"

namespace halftone {

// What one round of one model took.
struct Round {
  double prefill_seconds = 0, first_token_seconds = 0, decode_seconds = 0;
  double read_bandwidth = 0;  // over the same weights, right after
  int64_t kv_bytes = 0, generated_tokens = 0;
};

// A loaded model with its executor, and the work that is measured.
class Runner {
 public:
  // load_seconds: folder to ready executor.
  static Result<Runner> load(const std::filesystem::path& path, const BenchOptions& options);

  Result<Round> round(bool probe_bandwidth);
  // Decodes short bursts until two in a row take the same time within 5 %; false when 8 did not settle. Updates `spread`.
  Result<bool> warm_up(double& spread);

  const LanguageModel& language_model() const { return *language_model_; }
  Executor& executor() { return *executor_; }
  double load_seconds() const { return load_seconds_; }
  PhaseCost prefill_cost() const;
  PhaseCost decode_cost() const;

 private:
  Runner() = default;
  Status decode(Sequence& sequence, TokenId next, int64_t tokens, int64_t& generated);
  double read_bandwidth_of_weights();

  BenchOptions options_;
  std::shared_ptr<const LanguageModel> language_model_;
  std::unique_ptr<Executor> executor_;
  std::vector<TokenId> prompt_;
  std::vector<std::span<const std::byte>> weight_ranges_;
  double load_seconds_ = 0;
};

// Ranges that hold all of `spans`, sorted, shared bytes once. Spans of one file are joined across small gaps (alignment, norms).
std::vector<std::span<const std::byte>> joined_ranges(std::vector<std::span<const std::byte>> spans,
                                                      std::span<const std::span<const std::byte>> files);

}  // namespace halftone
