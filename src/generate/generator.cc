// SPDX-License-Identifier: Apache-2.0
#include "generate/generator.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "generate/stop_filter.h"

namespace halftone {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

int64_t context_of(const LanguageModel& model, const GenerateOptions& options) {
  return options.context > 0 ? std::min(options.context, model.config.context) : model.config.context;
}

Status check(const LanguageModel& model, std::span<const TokenId> prompt, const GenerateOptions& options) {
  HALFTONE_TRY(check(options.sampler));
  if (options.max_tokens < 0) return invalid_input("[generate] expected max-tokens >= 0, got {}", options.max_tokens);
  for (const std::string& stop : options.stop) {
    if (stop.empty())
      return invalid_input("[generate] expected a stop string of at least one character, got an empty one");
  }
  if (options.context < 0) return invalid_input("[generate] expected context >= 0, got {}", options.context);
  const auto count = static_cast<int64_t>(prompt.size());
  const int64_t context = context_of(model, options);
  if (count > context) {
    return invalid_input(
        "[generate] {}: expected a prompt of at most {} tokens ({}), got {}; shorten the prompt by {} tokens",
        model.path.string(), context, context == model.config.context ? "the model's context" : "as --context says",
        count, count - context);
  }
  return {};
}

// What was said so far and who listens.
class Output {
 public:
  // at_start: nothing of the prompt is text, so the first word said is the first of all.
  Output(const Tokenizer& tokenizer, bool at_start, const GenerateOptions& options,
         const std::function<void(std::string_view)>& piece)
      : stream_(tokenizer, at_start), filter_(options.stop), piece_(piece) {}

  void add(TokenId id) { show(filter_.add(stream_.add(id))); }
  void finish() {
    show(filter_.add(stream_.flush()));
    show(filter_.finish());
  }
  bool stopped() const { return filter_.stopped(); }
  std::string& text() { return text_; }

 private:
  void show(const std::string& text) {
    if (text.empty()) return;
    text_ += text;
    if (piece_) piece_(text);
  }

  TextStream stream_;
  StopFilter filter_;
  const std::function<void(std::string_view)>& piece_;
  std::string text_;
};

}  // namespace

std::string_view name_of(StopReason reason) {
  switch (reason) {
    case StopReason::max_tokens:
      return "max_tokens";
    case StopReason::end_token:
      return "end_token";
    case StopReason::stop_string:
      return "stop_string";
    case StopReason::context_full:
      return "context_full";
  }
  return {};
}

Status prefill(Executor& executor, Sequence& sequence, std::span<const TokenId> ids,
               const std::function<void(std::span<const float>)>& consume) {
  std::vector<BatchToken> batch;
  Sequence* const sequences[] = {&sequence};
  const auto last = [&](int64_t, std::span<const float> logits) { consume(logits); };
  for (size_t begin = 0; begin < ids.size(); begin += kPrefillChunk) {
    const size_t end = std::min(ids.size(), begin + kPrefillChunk);
    batch.clear();
    for (size_t i = begin; i < end; ++i) batch.push_back({ids[i], 0, i + 1 == ids.size()});
    HALFTONE_TRY(executor.forward(sequences, batch, last));
  }
  return {};
}

Result<GenerateResult> generate_from_tokens(const LanguageModel& model, Executor& executor, std::vector<TokenId> prompt,
                                            const GenerateOptions& options,
                                            const std::function<void(std::string_view)>& piece) {
  HALFTONE_CHECK(model.tokenizer != nullptr);
  if (prompt.empty() && model.config.bos >= 0) prompt.push_back(static_cast<TokenId>(model.config.bos));
  if (prompt.empty()) {
    return invalid_input(
        "[generate] {}: expected a prompt, got none, and the model has no begin token; give at least one word",
        model.path.string());
  }
  Sequence sequence = executor.make_sequence();
  return generate_on(model, executor, sequence, std::move(prompt), options, piece);
}

Result<GenerateResult> generate_on(const LanguageModel& model, Executor& executor, Sequence& sequence,
                                   std::vector<TokenId> prompt, const GenerateOptions& options,
                                   const std::function<void(std::string_view)>& piece) {
  HALFTONE_CHECK(model.tokenizer != nullptr && static_cast<size_t>(sequence.length()) < prompt.size());
  HALFTONE_TRY(check(model, prompt, options));
  GenerateResult result;
  result.prompt_tokens = std::move(prompt);
  std::vector<TokenId> history = result.prompt_tokens;
  std::vector<float> logits;
  const auto keep = [&](std::span<const float> values) { logits.assign(values.begin(), values.end()); };
  Sampler sampler(options.sampler);
  const bool at_start = options.starts_text || std::all_of(history.begin(), history.end(), [&](TokenId id) {
                          return model.tokenizer->bytes_of(id).empty();
                        });
  Output output(*model.tokenizer, at_start, options, piece);

  auto begin = Clock::now();
  HALFTONE_TRY(prefill(executor, sequence,
                       std::span<const TokenId>(result.prompt_tokens).subspan(static_cast<size_t>(sequence.length())),
                       keep));
  result.prefill_seconds = seconds_since(begin);
  std::vector<int64_t> ends = model.config.eos;
  ends.insert(ends.end(), options.end_tokens.begin(), options.end_tokens.end());
  while (static_cast<int64_t>(result.tokens.size()) < options.max_tokens) {
    HALFTONE_ASSIGN(const TokenId id, sampler.sample(logits, history));
    (history.size() == result.prompt_tokens.size() ? result.first_token_seconds : result.token_seconds.emplace_back()) =
        seconds_since(begin);
    if (std::find(ends.begin(), ends.end(), id) != ends.end()) {
      result.stop = StopReason::end_token;
      break;
    }
    result.tokens.push_back(id);
    history.push_back(id);
    output.add(id);
    if (output.stopped() || static_cast<int64_t>(result.tokens.size()) == options.max_tokens) break;
    if (sequence.length() >= context_of(model, options)) {
      result.stop = StopReason::context_full;
      break;
    }
    begin = Clock::now();
    HALFTONE_TRY(prefill(executor, sequence, {&id, 1}, keep));
  }
  output.finish();
  if (output.stopped()) result.stop = StopReason::stop_string;
  result.text = std::move(output.text());
  result.kv = sequence.kv();
  result.kv_bytes = sequence.kv_bytes();
  return result;
}

Result<GenerateResult> generate(const LanguageModel& model, Executor& executor, std::string_view prompt,
                                const GenerateOptions& options, const std::function<void(std::string_view)>& piece) {
  if (!model.tokenizer) {
    return not_found("[generate] {}: expected tokenizer.json or tokenizer.model, got neither; text needs one of them",
                     model.path.string());
  }
  HALFTONE_ASSIGN(std::vector<TokenId> ids, model.tokenizer->encode(prompt));
  return generate_from_tokens(model, executor, std::move(ids), options, piece);
}

}  // namespace halftone
