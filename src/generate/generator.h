// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"
#include "models/language_model.h"
#include "runtime/session.h"

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

enum class StopReason { max_tokens, end_token, stop_string, context_full };
std::string_view name_of(StopReason reason);

struct GenerateOptions {
  SamplerOptions sampler;
  int64_t max_tokens = 256;
  std::vector<std::string> stop;
};

struct GenerateResult {
  std::vector<TokenId> prompt_tokens, tokens;  // tokens: generated ids, the end token not counted
  std::string text;
  StopReason stop = StopReason::max_tokens;
  double prefill_seconds = 0;       // prompt until logits of its last token
  double first_token_seconds = 0;   // prefill and sampling
  std::vector<double> token_seconds;  // one per later token
};

// Streams text pieces (whole UTF-8 sequences, held back while they may begin a stop string). The same seed, model and settings
// give the same tokens on any number of threads.
Result<GenerateResult> generate(const LanguageModel& model, Executor& executor, std::string_view prompt,
                                const GenerateOptions& options, const std::function<void(std::string_view)>& piece);

// One token from logits. `recent`: ids for the repetition penalty.
class Sampler {
 public:
  explicit Sampler(const SamplerOptions& options);
  TokenId sample(std::span<const float> logits, std::span<const TokenId> recent);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace halftone
