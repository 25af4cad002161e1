// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"
#include "models/json_reader.h"
#include "models/tokenizers/merges.h"
#include "models/tokenizers/piece_model.h"
#include "models/tokenizers/tokenizer_json.h"
#include "models/tokenizers/vocabulary.h"

namespace halftone {

// The "model" of a tokenizer.json of type BPE. Immutable.
class BpeModel final : public PieceModel {
 public:
  // byte_level: the vocabulary is written in the byte alphabet and symbols are bytes, else symbols are characters.
  static Result<BpeModel> create(TokenizerJson& json, JsonReader& tokenizer, bool byte_level);

  // From the pieces of a SentencePiece model of type BPE: two symbols merge where their text is a normal piece, the
  // highest score first. Unknown characters become bytes where `byte_fallback`, else `unknown`.
  struct Scored {
    TokenId id;
    float score;
  };
  static Result<BpeModel> from_scores(Vocabulary vocabulary, const std::vector<Scored>& normal, bool byte_fallback,
                                      TokenId unknown, std::string file);

  // From the tokens of a tiktoken rank file, in the byte alphabet: what is a token as a whole stays, else two symbols
  // merge where their bytes are a token, the lowest id first.
  static Result<BpeModel> from_ranks(Vocabulary vocabulary, std::string file);

  std::unique_ptr<PieceModel::Scratch> make_scratch() const override;
  Status encode(std::string_view piece, PieceModel::Scratch& scratch, std::vector<TokenId>& ids) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  bool words_are_apart() const override { return words_are_apart_; }

 private:
  struct Scratch;
  Status read_options(JsonReader& model);
  Status read_merges(const TokenizerJson& json, JsonReader& model);
  Status add_scored(Scored piece, uint32_t rank, const std::vector<bool>& normal);
  void find_bytes();
  Status begin_bytes(std::string_view piece, std::vector<TokenId>& symbols) const;
  Status begin_characters(std::string_view piece, std::vector<TokenId>& symbols) const;
  Vocabulary vocabulary_;
  MergeTable merges_;
  std::array<TokenId, 256> bytes_;  // byte level: of the byte; else of its name "<0x0A>"
  std::string file_;
  TokenId unknown_ = kNoToken;
  bool byte_level_ = false, byte_fallback_ = false, fuse_unknown_ = false, ignore_merges_ = false,
       words_are_apart_ = false;
};

}  // namespace halftone
