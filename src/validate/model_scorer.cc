// SPDX-License-Identifier: Apache-2.0
#include "validate/model_scorer.h"

#include "base/error.h"
#include "kernels/vector/vector.h"

namespace halftone {
namespace {

constexpr size_t kBatchTokens = 1024;  // prefix tokens scored in one forward
constexpr size_t kBatchItems = 64;     // and sequences alive at a time

std::vector<Sequence*> pointers(std::vector<Sequence>& sequences) {
  std::vector<Sequence*> out;
  for (Sequence& sequence : sequences) out.push_back(&sequence);
  return out;
}

double log_sum_exp(std::span<const float> logits) {
  const Result<Isa> isa = active_isa();
  return select_vector(isa.ok() ? *isa : Isa::scalar).log_sum_exp(logits.data(), static_cast<int64_t>(logits.size()));
}

}  // namespace

Result<std::unique_ptr<ModelScorer>> ModelScorer::create(std::shared_ptr<const LanguageModel> model,
                                                         const ExecutorOptions& options) {
  if (model->tokenizer == nullptr) {
    return not_found(
        "[validate] {}: expected a tokenizer to score text, got none; add tokenizer.json or tokenizer.model",
        model->path.string());
  }
  HALFTONE_ASSIGN(auto executor, Executor::create(model->model, options));
  return std::unique_ptr<ModelScorer>(new ModelScorer(std::move(model), std::move(executor)));
}

Result<std::vector<int>> ModelScorer::tokenize(std::string_view text, bool bos) {
  HALFTONE_ASSIGN(std::vector<int> tokens, model_->tokenizer->encode(text, false));
  const auto begin = static_cast<int>(model_->config.bos);
  if (bos && begin >= 0) tokens.insert(tokens.begin(), begin);
  return tokens;
}

std::string ModelScorer::piece(int token) { return model_->tokenizer->bytes_of(token); }
int64_t ModelScorer::tokenizer_size() const { return model_->tokenizer->size(); }
int64_t ModelScorer::vocabulary() const { return model_->model->vocabulary(); }
int64_t ModelScorer::context() const { return model_->config.context; }

Status ModelScorer::truncate(int64_t length) { return sequence_.truncate(length); }

Status ModelScorer::extend(std::span<const int> tokens, int64_t first, const RowConsumer& consume) {
  std::vector<BatchToken> batch;
  for (size_t i = 0; i < tokens.size(); ++i) batch.push_back({tokens[i], 0, static_cast<int64_t>(i) >= first});
  Status consumed;
  Sequence* sequences[] = {&sequence_};
  HALFTONE_TRY(executor_->forward(sequences, batch, [&](int64_t index, std::span<const float> row) {
    if (consumed.ok()) consumed = consume(index, row);
  }));
  return consumed;
}

Result<std::vector<std::vector<double>>> ModelScorer::score_choices(std::span<const ChoiceItem> items) {
  std::vector<std::vector<double>> scores(items.size());
  for (size_t begin = 0; begin < items.size();) {
    size_t end = begin, tokens = 0;
    while (end < items.size() && end - begin < kBatchItems &&
           (end == begin || tokens + items[end].prefix.size() <= kBatchTokens)) {
      tokens += items[end++].prefix.size();
    }
    HALFTONE_TRY(score_batch(items.subspan(begin, end - begin), std::span(scores).subspan(begin, end - begin)));
    begin = end;
  }
  return scores;
}

// The last prefix token's row scores the first token of every continuation; only longer ones need a sequence of their
// own.
Status ModelScorer::score_batch(std::span<const ChoiceItem> items, std::span<std::vector<double>> scores) {
  std::vector<Sequence> prefixes;
  std::vector<BatchToken> batch;
  for (size_t i = 0; i < items.size(); ++i) {
    prefixes.push_back(executor_->make_sequence());
    for (int token : items[i].prefix) batch.push_back({token, static_cast<int32_t>(i), false});
    batch.back().want_logits = true;
    scores[i].assign(items[i].continuations.size(), 0.0);
  }
  HALFTONE_TRY(executor_->forward(pointers(prefixes), batch, [&](int64_t index, std::span<const float> row) {
    const auto item = static_cast<size_t>(batch[static_cast<size_t>(index)].sequence);
    const double total = log_sum_exp(row);
    for (size_t c = 0; c < items[item].continuations.size(); ++c) {
      scores[item][c] = static_cast<double>(row[static_cast<size_t>(items[item].continuations[c][0])]) - total;
    }
  }));
  return score_rests(items, prefixes, scores);
}

Status ModelScorer::score_rests(std::span<const ChoiceItem> items, const std::vector<Sequence>& prefixes,
                                std::span<std::vector<double>> scores) {
  struct Target {
    size_t item, choice;
    int next;
  };
  std::vector<Sequence> forks;
  std::vector<BatchToken> batch;
  std::vector<Target> targets;  // one per batch token
  for (size_t i = 0; i < items.size(); ++i) {
    for (size_t c = 0; c < items[i].continuations.size(); ++c) {
      const std::vector<int>& tokens = items[i].continuations[c];
      if (tokens.size() < 2) continue;
      for (size_t t = 0; t + 1 < tokens.size(); ++t) {
        batch.push_back({tokens[t], static_cast<int32_t>(forks.size()), true});
        targets.push_back({i, c, tokens[t + 1]});
      }
      forks.push_back(prefixes[i].fork());
    }
  }
  return executor_->forward(pointers(forks), batch, [&](int64_t index, std::span<const float> row) {
    const Target& target = targets[static_cast<size_t>(index)];
    scores[target.item][target.choice] += static_cast<double>(row[static_cast<size_t>(target.next)]) - log_sum_exp(row);
  });
}

}  // namespace halftone
