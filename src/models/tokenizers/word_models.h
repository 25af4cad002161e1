// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/json_reader.h"
#include "models/tokenizers/piece_model.h"
#include "models/tokenizers/tokenizer_json.h"

namespace halftone {

// WordPiece (BERT): the longest piece from the left, again and again; parts inside of a word carry a prefix. And
// WordLevel: whole words only.
class WordModel final : public PieceModel {
 public:
  static Result<WordModel> read(TokenizerJson& json, JsonReader& tokenizer);
  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<Scratch>(); }
  Status encode(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  bool cut(std::string_view piece, std::vector<TokenId>& ids) const;
  Vocabulary vocabulary_;
  std::string prefix_;  // of parts inside of a word
  bool whole_ = false;
  size_t max_characters_ = 100, longest_ = 0;  // longest: bytes of a piece
  TokenId unknown_ = kNoToken;
};

}  // namespace halftone
