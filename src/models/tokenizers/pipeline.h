// SPDX-License-Identifier: Apache-2.0
// The one tokenizer: added tokens, normalizer, pre-tokenizer, model, post-processor, and the bytes of every id. A
// tokenizer.json and a SentencePiece model are two ways to write down its parts.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"
#include "models/tokenizer.h"
#include "models/tokenizers/added_tokens.h"
#include "models/tokenizers/normalizer.h"
#include "models/tokenizers/piece_model.h"
#include "models/tokenizers/post_processor.h"
#include "models/tokenizers/pre_tokenizer.h"

namespace halftone {

// The bytes that each id stands for, in one block.
class TokenBytes {
 public:
  // REQUIRES: ids ascend.
  void add(TokenId id, std::string_view bytes);
  std::string_view of(TokenId id) const;
  int64_t size() const { return static_cast<int64_t>(ends_.size()); }

 private:
  std::string bytes_;
  std::vector<uint64_t> ends_;
};

class PipelineTokenizer final : public Tokenizer {
 public:
  struct Parts {
    std::string_view kind;  // lives forever
    std::string file;       // for messages
    AddedTokenFinder raw_tokens, normalized_tokens;
    Normalizer normalizer;
    PreTokenizer pre_tokenizer;
    std::unique_ptr<PieceModel> model;
    PostProcessor post_processor;
    TokenBytes bytes;
    std::string leading;
    std::map<TokenId, std::string> special_texts;
  };
  explicit PipelineTokenizer(Parts parts) : parts_(std::move(parts)) {}

  Result<std::vector<TokenId>> encode(std::string_view text, bool special) const override;
  Result<std::vector<TokenId>> encode_template(std::string_view text) const override {
    return encode_inner(text, true);
  }
  std::string_view special_text(TokenId id) const override;
  std::string bytes_of(TokenId id) const override { return std::string(parts_.bytes.of(id)); }
  std::string decode(const std::vector<TokenId>& ids) const override;
  std::string_view leading() const override { return parts_.leading; }
  int64_t size() const override { return parts_.bytes.size(); }
  std::string_view kind() const override { return parts_.kind; }

 private:
  class Encoding;
  Result<std::vector<TokenId>> encode_inner(std::string_view text, bool special) const;  // without post-processor
  Parts parts_;
};

}  // namespace halftone
