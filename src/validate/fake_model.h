// SPDX-License-Identifier: Apache-2.0
// For tests only.
#pragma once

#include <algorithm>
#include <limits>

#include "base/rng.h"
#include "validate/scorer.h"

namespace halftone {

// A "language model" over bytes: the logits after the last three bytes are pseudo-random, plus noise of a given size
// that stands for quantization. Deterministic; BOS is token 256.
class FakeModel : public Scorer {
 public:
  explicit FakeModel(double noise = 0, uint64_t noise_seed = 1) : noise_(noise), noise_seed_(noise_seed) {}

  int64_t context_tokens = 256;
  int64_t rows = 257;           // vocabulary()
  int64_t known_tokens = 257;   // tokenizer_size()
  int64_t poison_after = -1;    // the row with this number is NaN
  bool reverse_tokens = false;  // "another tokenizer"
  int64_t rows_given = 0;
  int64_t most_rows_in_call = 0;

  Result<std::vector<int>> tokenize(std::string_view text, bool bos) override {
    std::vector<int> tokens;
    if (bos) tokens.push_back(256);
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    if (reverse_tokens) std::reverse(tokens.begin(), tokens.end());
    return tokens;
  }
  std::string piece(int token) override { return token == 256 ? "" : std::string(1, static_cast<char>(token)); }
  int64_t tokenizer_size() const override { return known_tokens; }
  int64_t vocabulary() const override { return rows; }
  int64_t context() const override { return context_tokens; }

  Status truncate(int64_t length) override {
    sequence_.resize(static_cast<size_t>(length));
    return {};
  }

  Status extend(std::span<const int> tokens, int64_t first, const RowConsumer& consume) override {
    int64_t given = 0;
    for (size_t i = 0; i < tokens.size(); ++i) {
      sequence_.push_back(tokens[i]);
      if (static_cast<int64_t>(sequence_.size()) > context_tokens) return {StatusCode::invalid_input, "context full"};
      if (static_cast<int64_t>(i) < first) continue;
      const std::vector<float> row = next_row();
      most_rows_in_call = std::max(most_rows_in_call, ++given);
      if (Status status = consume(static_cast<int64_t>(i), row); !status.ok()) return status;
    }
    return {};
  }

  // Of the bytes so far.
  std::vector<float> next_row() {
    uint64_t key = 17;
    for (size_t k = 0; k < 3 && k < sequence_.size(); ++k)
      key = key * 1000003 + static_cast<uint64_t>(sequence_[sequence_.size() - 1 - k]);
    Rng base(key), noise(key ^ (noise_seed_ << 32));
    std::vector<float> row(static_cast<size_t>(rows));
    // Wide rows repeat the byte part: tests of them are about memory.
    for (size_t i = 0; i < row.size(); ++i)
      row[i] = i < 257 ? static_cast<float>(3 * base.normal() + noise_ * noise.normal()) : row[i - 257] - 20;
    if (rows_given++ == poison_after) row[5] = std::numeric_limits<float>::quiet_NaN();
    return row;
  }

 private:
  double noise_;
  uint64_t noise_seed_;
  std::vector<int> sequence_;
};

}  // namespace halftone
