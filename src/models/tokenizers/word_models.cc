// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/word_models.h"

#include <algorithm>

#include "base/error.h"

namespace halftone {
namespace {

bool continues(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

}  // namespace

Result<WordModel> WordModel::read(TokenizerJson& json, JsonReader& tokenizer) {
  JsonReader reader = tokenizer.object("model");
  WordModel model;
  model.whole_ = reader.text("type", "") == "WordLevel";
  if (model.whole_) {
    reader.only({"type", "unk_token"});
  } else {
    reader.only({"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word"});
    model.prefix_ = reader.text("continuing_subword_prefix", "##");
    model.max_characters_ = static_cast<size_t>(reader.integer("max_input_chars_per_word", 1, 1000, 100));
  }
  const std::string unknown = reader.text("unk_token", "[UNK]");
  HALFTONE_TRY(reader.status());
  model.vocabulary_ = std::move(json.vocabulary);
  model.unknown_ = model.vocabulary_.find(unknown);
  if (model.unknown_ == kNoToken)
    return invalid_input("{}: expected a piece of the vocabulary, got \"{}\"", reader.place("unk_token"), unknown);
  for (TokenId id = 0; id < model.vocabulary_.size(); ++id)
    model.longest_ = std::max(model.longest_, model.vocabulary_.piece(id).size());
  return model;
}

// False when a part of the word is no piece.
bool WordModel::cut(std::string_view piece, std::vector<TokenId>& ids) const {
  std::string part;
  for (size_t at = 0; at < piece.size();) {
    size_t end = std::min(piece.size(), at + longest_);
    TokenId id = kNoToken;
    for (; end > at; --end) {
      if (end < piece.size() && continues(piece[end])) continue;
      part.assign(at > 0 ? std::string_view(prefix_) : std::string_view()).append(piece.substr(at, end - at));
      id = vocabulary_.find(part);
      if (id != kNoToken) break;
    }
    if (id == kNoToken) return false;
    ids.push_back(id);
    at = end;
  }
  return true;
}

Status WordModel::encode(std::string_view piece, Scratch&, std::vector<TokenId>& ids) const {
  if (whole_) {
    const TokenId id = vocabulary_.find(piece);
    ids.push_back(id != kNoToken ? id : unknown_);
    return {};
  }
  const auto characters =
      static_cast<size_t>(std::count_if(piece.begin(), piece.end(), [](char c) { return !continues(c); }));
  const size_t before = ids.size();
  if (characters <= max_characters_ && cut(piece, ids)) return {};
  ids.resize(before);
  ids.push_back(unknown_);
  return {};
}

}  // namespace halftone
