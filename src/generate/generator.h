// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "generate/sampler.h"
#include "halftone/status.h"
#include "models/language_model.h"
#include "runtime/session.h"

namespace halftone {

enum class StopReason { max_tokens, end_token, stop_string, context_full };
std::string_view name_of(StopReason reason);

struct GenerateOptions {
  SamplerOptions sampler;
  int64_t max_tokens = 256;
  std::vector<std::string> stop;
  std::vector<TokenId> end_tokens;  // that end the text besides the model's own
  int64_t context = 0;              // tokens that may be held; 0: as many as the model was made for
  bool starts_text = false;         // the answer is a text of its own, whatever stands before it
};

struct GenerateResult {
  // tokens: generated ids, the end token not counted; those whose text a stop string cut off are.
  std::vector<TokenId> prompt_tokens, tokens;
  std::string text;  // the pieces, joined
  StopReason stop = StopReason::max_tokens;
  KvType kv = KvType::f16;            // how keys and values were stored
  int64_t kv_bytes = 0;               // and what they took at the end
  double prefill_seconds = 0;         // prompt until logits of its last token
  double first_token_seconds = 0;     // prefill and sampling
  std::vector<double> token_seconds;  // one per later token, the end token included
};

// Streams text pieces (whole UTF-8 sequences, held back while they may begin a stop string). The same seed, model and
// settings give the same tokens on any number of threads. An empty prompt begins with the model's own begin token.
// Errors: no tokenizer, a prompt longer than the context, an empty stop string, sampler options out of range.
Result<GenerateResult> generate(const LanguageModel& model, Executor& executor, std::string_view prompt,
                                const GenerateOptions& options, const std::function<void(std::string_view)>& piece);

// The same from ids (chat templates, tests). REQUIRES: model.tokenizer
Result<GenerateResult> generate_from_tokens(const LanguageModel& model, Executor& executor, std::vector<TokenId> prompt,
                                            const GenerateOptions& options,
                                            const std::function<void(std::string_view)>& piece);

// The same on a sequence that holds the first sequence.length() ids of the prompt already. REQUIRES: that is not all.
Result<GenerateResult> generate_on(const LanguageModel& model, Executor& executor, Sequence& sequence,
                                   std::vector<TokenId> prompt, const GenerateOptions& options,
                                   const std::function<void(std::string_view)>& piece);

inline constexpr int64_t kPrefillChunk = 512;  // tokens

// Appends ids to a sequence in chunks that bound the scratch memory; logits of the last id go to `consume`.
Status prefill(Executor& executor, Sequence& sequence, std::span<const TokenId> ids,
               const std::function<void(std::span<const float>)>& consume);

}  // namespace halftone
