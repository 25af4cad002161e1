// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"
#include "tensor/tensor.h"
#include "validate/input_format.h"

namespace halftone {

class Scorer;
class Classifier;

// What validation scores. A suite's task says which kind it needs; the other is an error of the suite.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual Scorer* language_model() { return nullptr; }
  virtual Classifier* classifier() { return nullptr; }
};

// One question for score_choices: a shared prefix and the alternatives that may follow it. REQUIRES: none empty.
struct ChoiceItem {
  std::vector<int> prefix;
  std::vector<std::vector<int>> continuations;
};

// Takes the logit row of token `index`; an error stops the pass and is returned from it.
using RowConsumer = std::function<Status(int64_t index, std::span<const float> logits)>;

// A language model as validation sees it: text to tokens, tokens to logits. One sequence at a time, which starts empty.
// Not shared between threads.
class Scorer : public Subject {
 public:
  Scorer* language_model() final { return this; }

  virtual Result<std::vector<int>> tokenize(std::string_view text, bool bos) = 0;
  virtual std::string piece(int token) = 0;    // the bytes it stands for, spaces as spaces
  virtual int64_t tokenizer_size() const = 0;  // tokens the tokenizer knows
  virtual int64_t vocabulary() const = 0;      // numbers in a logit row
  virtual int64_t context() const = 0;         // longest sequence

  // Cuts the sequence back to its first `length` tokens; 0 starts anew.
  virtual Status truncate(int64_t length) = 0;
  // Appends tokens to the sequence. consume(i, row) is called in order for each token i of this call with i >= first;
  // the row predicts what follows token i and lives only during the call.
  virtual Status extend(std::span<const int> tokens, int64_t first, const RowConsumer& consume) = 0;

  // Log-likelihood of each continuation after its item's prefix: (items, continuations). Results must not depend on
  // what is batched together. The default computes one item after the other, each prefix once; a model that can run
  // several sequences in one forward overrides it. Leaves the sequence empty.
  virtual Result<std::vector<std::vector<double>>> score_choices(std::span<const ChoiceItem> items);
};

// A network as validation sees it. Not shared between threads.
class Classifier : public Subject {
 public:
  Classifier* classifier() final { return this; }
  // One sample's numbers, without a batch -> one finite log-probability per class, which sum to 1. The same sample
  // gives the same bits.
  virtual Result<std::vector<double>> log_probabilities(const Tensor& sample) = 0;
  // All outputs for one sample as f32, codes read on their own grid; finite.
  virtual Result<std::vector<Tensor>> outputs(const Tensor& sample) = 0;
  // Sizes of what it reads, without the batch; -1: any; empty: any rank.
  virtual Shape input_shape() const { return {}; }
  // What its own file says about preparing samples; the defaults: nothing.
  virtual Result<InputFormat> own_input() const { return InputFormat(); }
};

// The `count` tokens that greedy decoding appends to `prompt` (the lowest id of equals; end tokens are tokens like
// others).
Result<std::vector<int>> greedy_answer(Scorer& scorer, std::span<const int> prompt, int64_t count);

// How many tokens of `answer` greedy decoding after `prompt` reproduces before the first difference: answer.size() if
// all. One pass.
Result<int64_t> greedy_agreement(Scorer& scorer, std::span<const int> prompt, std::span<const int> answer);

}  // namespace halftone
