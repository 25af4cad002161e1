// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "halftone/status.h"
#include "models/tokenizer.h"

namespace halftone {

struct SamplerOptions {
  double temperature = 0.8;  // 0: greedy
  int top_k = 40;            // 0: off
  double top_p = 0.95;       // 1: off
  double min_p = 0.05;       // 0: off
  double repetition_penalty = 1.0;
  int repetition_window = 64;
  uint64_t seed = 0;
};

// An error names the option, its value and its range.
Status check(const SamplerOptions& options);

// One token from logits. In this order: repetition penalty (positive logits divided, negative ones multiplied), top-k,
// top-p, min-p on the model's own probabilities, then temperature among what is left. Arithmetic is in double, ties go
// to the lowest id, and one random number is drawn per token (none when greedy), so that a seed gives the same tokens
// everywhere.
class Sampler {
 public:
  explicit Sampler(const SamplerOptions& options);  // REQUIRES: check(options) is ok
  // recent: ids for the repetition penalty; the last repetition_window of them count, each once.
  // A logit that is NaN or infinite is an error that names it (broken weights); -infinity means "never".
  Result<TokenId> sample(std::span<const float> logits, std::span<const TokenId> recent);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace halftone
