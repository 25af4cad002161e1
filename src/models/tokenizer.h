// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/model_file.h"
#include "halftone/status.h"

namespace halftone {

using TokenId = int32_t;

// Text to ids and back. Immutable and safe to share between threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // special: parse added special tokens in the text and apply the post-processor (bos).
  virtual Result<std::vector<TokenId>> encode(std::string_view text, bool special = true) const = 0;
  // The bytes that a token stands for when it follows other tokens; special tokens give nothing.
  virtual std::string bytes_of(TokenId id) const = 0;
  virtual std::string decode(const std::vector<TokenId>& ids) const = 0;
  virtual int64_t size() const = 0;  // one more than the largest id
  virtual std::string_view kind() const = 0;  // "bpe", "sentencepiece-bpe"
};

// From tokenizer.json or tokenizer.model, whichever the model has (json first).
Result<std::shared_ptr<const Tokenizer>> open_tokenizer(const ModelFile& file);

// Streaming decode: gives text only in whole UTF-8 sequences.
class TextStream {
 public:
  explicit TextStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  std::string add(TokenId id);  // text that became complete
  std::string flush();          // what is left, invalid bytes replaced by U+FFFD

 private:
  const Tokenizer& tokenizer_;
  std::string pending_;
  bool first_ = true;
};

}  // namespace halftone
