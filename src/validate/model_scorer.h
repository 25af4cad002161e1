// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "models/language_model.h"
#include "runtime/session.h"
#include "validate/scorer.h"

namespace halftone {

// A real model behind the Scorer interface. score_choices runs many questions in one forward; the runtime's results do
// not depend on what is batched, so neither do the scores.
class ModelScorer final : public Scorer {
 public:
  // Error when the model has no tokenizer, or one with more tokens than the model has logits.
  static Result<std::unique_ptr<ModelScorer>> create(std::shared_ptr<const LanguageModel> model,
                                                     const ExecutorOptions& options);

  Result<std::vector<int>> tokenize(std::string_view text, bool bos) override;
  std::string piece(int token) override;
  int64_t tokenizer_size() const override;
  int64_t vocabulary() const override;
  int64_t context() const override;
  Status truncate(int64_t length) override;
  Status extend(std::span<const int> tokens, int64_t first, const RowConsumer& consume) override;
  Result<std::vector<std::vector<double>>> score_choices(std::span<const ChoiceItem> items) override;

  const LanguageModel& model() const { return *model_; }
  const Executor& executor() const { return *executor_; }

 private:
  ModelScorer(std::shared_ptr<const LanguageModel> model, std::unique_ptr<Executor> executor)
      : model_(std::move(model)), executor_(std::move(executor)), sequence_(executor_->make_sequence()) {}
  Status score_batch(std::span<const ChoiceItem> items, std::span<std::vector<double>> scores);
  Status score_rests(std::span<const ChoiceItem> items, const std::vector<Sequence>& prefixes,
                     std::span<std::vector<double>> scores);

  std::shared_ptr<const LanguageModel> model_;
  std::unique_ptr<Executor> executor_;
  Sequence sequence_;
};

}  // namespace halftone
