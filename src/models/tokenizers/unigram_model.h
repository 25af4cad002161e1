// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "models/json_reader.h"
#include "models/tokenizers/merges.h"
#include "models/tokenizers/piece_model.h"
#include "models/tokenizers/tokenizer_json.h"

namespace halftone {

// Kudo 2018, "Subword Regularization": the pieces whose scores have the largest sum.
class UnigramModel final : public PieceModel {
 public:
  struct Options {
    TokenId unknown = kNoToken;
    bool byte_fallback = false, fuse_unknown = true;
    std::string file;  // for messages
  };
  // scores by id; `usable` says which pieces text is cut into. `floor`: of a character that no piece covers.
  static Result<UnigramModel> create(Vocabulary vocabulary, const std::vector<double>& scores,
                                     const std::vector<bool>& usable, double floor, Options options);
  static Result<UnigramModel> read(TokenizerJson& json, JsonReader& tokenizer);
  static constexpr double kUnknownPenalty = 10;

  std::unique_ptr<PieceModel::Scratch> make_scratch() const override;
  Status encode(std::string_view piece, PieceModel::Scratch& scratch, std::vector<TokenId>& ids) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  bool words_are_apart() const override { return words_are_apart_; }

 private:
  struct Scratch;
  Status add_unknown(std::string_view text, std::vector<TokenId>& ids) const;
  void find_best(std::string_view piece, Scratch& scratch) const;
  Vocabulary vocabulary_;
  MergeTable trie_;                   // (node, byte) → node; node 0 is the root
  std::vector<TokenId> token_;        // by node
  std::vector<double> scores_;        // by id
  std::vector<bool> usable_;          // by id
  std::array<TokenId, 256> bytes_{};  // of the names "<0x0A>"
  double floor_ = 0;
  Options options_;
  bool words_are_apart_ = true;
};

}  // namespace halftone
