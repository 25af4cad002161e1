// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/unigram_model.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/utf8.h"
#include "models/tokenizers/decoder.h"
#include "models/tokenizers/word_mark.h"

namespace halftone {
namespace {

// Every place of a text looks at pieces of up to this length, so that time stays linear.
constexpr size_t kMaxPieceBytes = 1024;

}  // namespace

// The best way to each place of the text.
struct UnigramModel::Scratch final : PieceModel::Scratch {
  struct Arrival {
    double score = 0;
    uint32_t from = 0;
    TokenId id = kNoToken;  // kNoToken: a character that is no piece
    bool reached = false;
  };
  std::vector<Arrival> arrivals;
  std::vector<uint32_t> path;
};

Result<UnigramModel> UnigramModel::create(Vocabulary vocabulary, const std::vector<double>& scores,
                                          const std::vector<bool>& usable, double floor, Options options) {
  UnigramModel model;
  model.vocabulary_ = std::move(vocabulary);
  model.scores_ = scores;
  model.usable_ = usable;
  model.floor_ = floor;
  model.options_ = std::move(options);
  model.token_.push_back(kNoToken);
  model.words_are_apart_ = model.vocabulary_.find(kWordMark) != kNoToken;
  for (TokenId id = 0; id < model.vocabulary_.size(); ++id) {
    const std::string_view piece = model.vocabulary_.piece(id);
    if (!usable[static_cast<size_t>(id)] || piece.empty()) continue;
    if (piece.size() > kMaxPieceBytes) {
      return unsupported("[tokenizer] {}: piece {}: expected at most {} bytes, got {}", model.options_.file, id,
                         kMaxPieceBytes, piece.size());
    }
    model.words_are_apart_ = model.words_are_apart_ && !word_mark_inside(piece);
    TokenId node = 0;
    for (const char character : piece) {
      const auto byte = static_cast<TokenId>(static_cast<uint8_t>(character));
      const MergeTable::Merge child = model.trie_.find(node, byte);
      if (child.rank != MergeTable::kNone) {
        node = child.result;
        continue;
      }
      const auto created = static_cast<TokenId>(model.token_.size());
      model.token_.push_back(kNoToken);
      (void)model.trie_.add(node, byte, 0, created);
      node = created;
    }
    model.token_[static_cast<size_t>(node)] = id;
  }
  for (int byte = 0; byte < 256; ++byte)
    model.bytes_[static_cast<size_t>(byte)] = model.vocabulary_.find(name_of_byte(static_cast<uint8_t>(byte)));
  return model;
}

Result<UnigramModel> UnigramModel::read(TokenizerJson& json, JsonReader& tokenizer) {
  JsonReader reader = tokenizer.object("model");
  reader.only({"type", "unk_id", "byte_fallback"});
  Options options;
  options.file = tokenizer.file();
  options.unknown = static_cast<TokenId>(reader.integer("unk_id", 0, kMaxTokenId, kNoToken));
  options.byte_fallback = reader.boolean("byte_fallback", false);
  HALFTONE_TRY(reader.status());
  const int64_t size = json.vocabulary.size();
  if (size == 0 || json.scores.size() != static_cast<size_t>(size))
    return invalid_input("{}: expected a list of [piece, score], got none", reader.place("vocab"));
  if (options.unknown >= size)
    return invalid_input("{}: expected an id below {}, got {}", reader.place("unk_id"), size, options.unknown);
  const double lowest = *std::min_element(json.scores.begin(), json.scores.end());
  // Special tokens have pieces here like any other; text is never cut into them.
  std::vector<bool> usable(static_cast<size_t>(size), true);
  for (JsonReader& token : tokenizer.objects("added_tokens")) {
    const int64_t id = token.integer("id", 0, kMaxTokenId, kNoToken);
    if (token.boolean("special", false) && id >= 0 && id < size) usable[static_cast<size_t>(id)] = false;
  }
  return create(std::move(json.vocabulary), json.scores, usable, lowest - kUnknownPenalty, std::move(options));
}

std::unique_ptr<PieceModel::Scratch> UnigramModel::make_scratch() const { return std::make_unique<Scratch>(); }

// Viterbi over the places of the text; of equal sums the path found first stays.
void UnigramModel::find_best(std::string_view piece, Scratch& scratch) const {
  scratch.arrivals.assign(piece.size() + 1, {});
  scratch.arrivals[0].reached = true;
  const auto offer = [&](size_t from, size_t to, double score, TokenId id) {
    Scratch::Arrival& arrival = scratch.arrivals[to];
    if (arrival.reached && score <= arrival.score) return;
    arrival = {score, static_cast<uint32_t>(from), id, true};
  };
  for (size_t at = 0; at < piece.size();) {
    const double before = scratch.arrivals[at].score;
    const size_t length = utf8_length(piece[at]);
    bool covered = false;
    TokenId node = 0;
    for (size_t end = at; end < piece.size();) {
      const MergeTable::Merge child = trie_.find(node, static_cast<TokenId>(static_cast<uint8_t>(piece[end])));
      if (child.rank == MergeTable::kNone) break;
      node = child.result;
      ++end;
      const TokenId id = token_[static_cast<size_t>(node)];
      if (id == kNoToken) continue;
      offer(at, end, before + scores_[static_cast<size_t>(id)], id);
      covered = covered || end == at + length;
    }
    if (!covered) offer(at, at + length, before + floor_, kNoToken);
    at += length;
  }
}

Status UnigramModel::add_unknown(std::string_view text, std::vector<TokenId>& ids) const {
  const TokenId known = vocabulary_.find(text);  // characters joined by fusing may be a piece
  if (known != kNoToken && usable_[static_cast<size_t>(known)]) {
    ids.push_back(known);
    return {};
  }
  bool fallback = options_.byte_fallback;
  for (const char byte : text) fallback = fallback && bytes_[static_cast<uint8_t>(byte)] != kNoToken;
  if (fallback) {
    for (const char byte : text) ids.push_back(bytes_[static_cast<uint8_t>(byte)]);
    return {};
  }
  if (options_.unknown == kNoToken) {
    return invalid_input("[tokenizer] {}: expected a piece for \"{}\" of the text, got none and no unknown piece",
                         options_.file, text.substr(0, utf8_length(text[0])));
  }
  ids.push_back(options_.unknown);
  return {};
}

Status UnigramModel::encode(std::string_view piece, PieceModel::Scratch& base, std::vector<TokenId>& ids) const {
  auto& scratch = static_cast<Scratch&>(base);
  if (piece.size() >= std::numeric_limits<uint32_t>::max())
    return unsupported("[tokenizer] {}: expected less than 4 GB of text at once", options_.file);
  find_best(piece, scratch);
  scratch.path.clear();
  for (size_t end = piece.size(); end > 0; end = scratch.arrivals[end].from)
    scratch.path.push_back(static_cast<uint32_t>(end));
  std::reverse(scratch.path.begin(), scratch.path.end());
  size_t begin = 0;
  for (size_t i = 0; i < scratch.path.size(); ++i) {
    const TokenId id = scratch.arrivals[scratch.path[i]].id;
    const auto unknown = [&](size_t step) {
      const TokenId found = scratch.arrivals[scratch.path[step]].id;
      return found == kNoToken || found == options_.unknown;
    };
    if (!unknown(i)) {
      ids.push_back(id);
    } else {
      while (options_.fuse_unknown && i + 1 < scratch.path.size() && unknown(i + 1)) ++i;
      HALFTONE_TRY(add_unknown(piece.substr(begin, scratch.path[i] - begin), ids));
    }
    begin = scratch.path[i];
  }
  return {};
}

}  // namespace halftone
