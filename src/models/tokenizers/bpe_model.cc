// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/bpe_model.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "models/tokenizers/byte_alphabet.h"
#include "models/tokenizers/decoder.h"
#include "models/tokenizers/word_mark.h"

namespace halftone {
namespace {

constexpr size_t kMaxRankedBytes = 1024;  // every cut of a token is looked up, which is quadratic in its length

}  // namespace

Result<BpeModel> BpeModel::create(TokenizerJson& json, JsonReader& tokenizer, bool byte_level) {
  BpeModel model;
  model.file_ = tokenizer.file();
  model.byte_level_ = byte_level;
  model.vocabulary_ = std::move(json.vocabulary);
  JsonReader reader = tokenizer.object("model");
  HALFTONE_TRY(model.read_options(reader));
  HALFTONE_TRY(model.read_merges(json, reader));
  model.find_bytes();
  return model;
}

void BpeModel::find_bytes() {
  for (int i = 0; i < 256; ++i) {
    const auto byte = static_cast<uint8_t>(i);
    bytes_[byte] = byte_level_ ? vocabulary_.find(alphabet_character(byte)) : vocabulary_.find(name_of_byte(byte));
  }
}

Result<BpeModel> BpeModel::from_scores(Vocabulary vocabulary, const std::vector<Scored>& normal, bool byte_fallback,
                                       TokenId unknown, std::string file) {
  BpeModel model;
  model.file_ = std::move(file);
  model.vocabulary_ = std::move(vocabulary);
  model.byte_fallback_ = byte_fallback;
  model.fuse_unknown_ = true;
  model.unknown_ = unknown;
  model.words_are_apart_ = model.vocabulary_.find(kWordMark) != kNoToken;
  std::vector<bool> is_normal(static_cast<size_t>(model.vocabulary_.size()), false);
  for (const Scored& piece : normal) is_normal[static_cast<size_t>(piece.id)] = true;
  std::vector<Scored> by_score = normal;
  std::stable_sort(by_score.begin(), by_score.end(),
                   [](const Scored& a, const Scored& b) { return a.score > b.score; });
  uint32_t rank = 0;
  for (size_t i = 0; i < by_score.size(); ++i) {
    if (i > 0 && by_score[i].score < by_score[i - 1].score)
      ++rank;  // equal scores are equal: the leftmost merges first
    HALFTONE_TRY(model.add_scored(by_score[i], rank, is_normal));
  }
  model.find_bytes();
  return model;
}

Result<BpeModel> BpeModel::from_ranks(Vocabulary vocabulary, std::string file) {
  BpeModel model;
  model.file_ = std::move(file);
  model.byte_level_ = model.ignore_merges_ = true;
  model.vocabulary_ = std::move(vocabulary);
  model.find_bytes();
  for (int byte = 0; byte < 256; ++byte) {
    if (model.bytes_[static_cast<size_t>(byte)] != kNoToken) continue;
    return invalid_input("[tokenizer] {}: expected a token for every byte, got none for {:#04x}", model.file_, byte);
  }
  for (TokenId id = 0; id < model.vocabulary_.size(); ++id) {
    const std::string text(model.vocabulary_.piece(id));
    if (text.size() > kMaxRankedBytes) continue;  // found as a whole only; no real token is that long
    for (size_t at = utf8_length(text[0]); at < text.size(); at += utf8_length(text[at])) {
      const TokenId left = model.vocabulary_.find(std::string_view(text).substr(0, at));
      const TokenId right = model.vocabulary_.find(std::string_view(text).substr(at));
      if (left != kNoToken && right != kNoToken) (void)model.merges_.add(left, right, static_cast<uint32_t>(id), id);
    }
  }
  return model;
}

// Every way to cut the piece in two pieces is a merge.
Status BpeModel::add_scored(Scored piece, uint32_t rank, const std::vector<bool>& normal) {
  const std::string text(vocabulary_.piece(piece.id));
  words_are_apart_ = words_are_apart_ && !word_mark_inside(text);
  const auto find_normal = [&](std::string_view part) {
    const TokenId id = vocabulary_.find(part);
    return id != kNoToken && normal[static_cast<size_t>(id)] ? id : kNoToken;
  };
  for (size_t at = 0; at < text.size();) {
    const std::string_view character = std::string_view(text).substr(at, utf8_length(text[at]));
    if (find_normal(character) == kNoToken) {
      return unsupported(
          "[tokenizer] {}: piece {} \"{}\": expected its characters to be pieces too, got none for \"{}\"", file_,
          piece.id, text, character);
    }
    at += character.size();
    if (at == text.size()) break;
    const TokenId left = find_normal(std::string_view(text).substr(0, at));
    const TokenId right = find_normal(std::string_view(text).substr(at));
    if (left != kNoToken && right != kNoToken) merges_.add(left, right, rank, piece.id);
  }
  return {};
}

Status BpeModel::read_options(JsonReader& model) {
  HALFTONE_TRY(model.status());
  model.only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
              "byte_fallback", "ignore_merges"});
  if (model.number("dropout", 0, 1, 0) != 0)
    return unsupported("{}: expected null, got random merges", model.place("dropout"));
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const std::string affix = model.text(key, "");
    if (!affix.empty()) return unsupported("{}: expected none, got \"{}\"", model.place(key), affix);
  }
  fuse_unknown_ = model.boolean("fuse_unk", false);
  byte_fallback_ = model.boolean("byte_fallback", false);
  ignore_merges_ = model.boolean("ignore_merges", false);
  const std::string unknown = model.text("unk_token", "");
  HALFTONE_TRY(model.status());
  if (vocabulary_.count() == 0) return invalid_input("{}: expected pieces with ids, got none", model.place("vocab"));
  if (unknown.empty()) return {};
  unknown_ = vocabulary_.find(unknown);
  if (unknown_ == kNoToken)
    return invalid_input("{}: expected a piece of the vocabulary, got \"{}\"", model.place("unk_token"), unknown);
  return {};
}

Status BpeModel::read_merges(const TokenizerJson& json, JsonReader& model) {
  merges_.reserve(json.merges.size());
  words_are_apart_ = !byte_level_ && !ignore_merges_ && vocabulary_.find(kWordMark) != kNoToken;
  std::string joined;
  for (size_t rank = 0; rank < json.merges.size(); ++rank) {
    const std::string_view left = json.left(json.merges[rank]), right = json.right(json.merges[rank]);
    joined.assign(left).append(right);
    const TokenId left_id = vocabulary_.find(left), right_id = vocabulary_.find(right),
                  result = vocabulary_.find(joined);
    if (left_id == kNoToken || right_id == kNoToken || result == kNoToken) {
      const std::string_view absent = left_id == kNoToken    ? left
                                      : right_id == kNoToken ? right
                                                             : std::string_view(joined);
      return invalid_input("{}[{}]: expected \"{}\" + \"{}\" and what they give in the vocabulary, got no piece \"{}\"",
                           model.place("merges"), rank, left, right, absent);
    }
    if (!merges_.add(left_id, right_id, static_cast<uint32_t>(rank), result)) {
      return invalid_input("{}[{}]: expected every merge once, got \"{}\" + \"{}\" again", model.place("merges"), rank,
                           left, right);
    }
    words_are_apart_ = words_are_apart_ && !word_mark_inside(joined);
  }
  return {};
}

struct BpeModel::Scratch final : PieceModel::Scratch {
  explicit Scratch(const MergeTable& merges) : merger(merges) {}
  Merger merger;
  std::vector<TokenId> symbols;
};

std::unique_ptr<PieceModel::Scratch> BpeModel::make_scratch() const { return std::make_unique<Scratch>(merges_); }

Status BpeModel::encode(std::string_view piece, PieceModel::Scratch& base, std::vector<TokenId>& ids) const {
  auto& scratch = static_cast<Scratch&>(base);
  if (ignore_merges_) {
    const TokenId whole = vocabulary_.find(byte_level_ ? to_byte_alphabet(piece) : std::string(piece));
    if (whole != kNoToken) {
      ids.push_back(whole);
      return {};
    }
  }
  scratch.symbols.clear();
  HALFTONE_TRY(byte_level_ ? begin_bytes(piece, scratch.symbols) : begin_characters(piece, scratch.symbols));
  scratch.merger.merge(scratch.symbols);
  ids.insert(ids.end(), scratch.symbols.begin(), scratch.symbols.end());
  return {};
}

Status BpeModel::begin_bytes(std::string_view piece, std::vector<TokenId>& symbols) const {
  for (const char character : piece) {
    const auto byte = static_cast<uint8_t>(character);
    const TokenId id = bytes_[byte] != kNoToken ? bytes_[byte] : unknown_;
    if (id == kNoToken) {
      return invalid_input("[tokenizer] {}: expected a piece for byte {:#04x} of the text, got none and no unk_token",
                           file_, byte);
    }
    // Unknown bytes in a row are one unknown where fuse_unk says so.
    if (id == unknown_ && bytes_[byte] == kNoToken && fuse_unknown_ && !symbols.empty() && symbols.back() == unknown_)
      continue;
    symbols.push_back(id);
  }
  return {};
}

Status BpeModel::begin_characters(std::string_view piece, std::vector<TokenId>& symbols) const {
  bool after_unknown = false;
  for (size_t at = 0; at < piece.size();) {
    const std::string_view character = piece.substr(at, utf8_length(piece[at]));
    at += character.size();
    TokenId id = vocabulary_.find(character);
    if (id != kNoToken) {
      symbols.push_back(id);
      after_unknown = false;
      continue;
    }
    bool fallback = byte_fallback_;
    for (const char byte : character) fallback = fallback && bytes_[static_cast<uint8_t>(byte)] != kNoToken;
    if (fallback) {
      for (const char byte : character) symbols.push_back(bytes_[static_cast<uint8_t>(byte)]);
      after_unknown = false;
      continue;
    }
    if (unknown_ == kNoToken) {
      return invalid_input(
          "[tokenizer] {}: expected a piece for \"{}\" of the text, got none, no byte pieces and no unk_token", file_,
          character);
    }
    if (!(after_unknown && fuse_unknown_)) symbols.push_back(unknown_);
    after_unknown = true;
  }
  return {};
}

}  // namespace halftone
