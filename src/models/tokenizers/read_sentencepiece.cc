// SPDX-License-Identifier: Apache-2.0
// tokenizer.model, a protobuf message of the SentencePiece library → the parts of a tokenizer.
#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "models/tokenizers/bpe_model.h"
#include "models/tokenizers/decoder.h"
#include "models/tokenizers/pipeline.h"
#include "models/tokenizers/readers.h"
#include "models/tokenizers/unigram_model.h"
#include "models/tokenizers/word_mark.h"

namespace halftone {
namespace {

Status check_supported(const SentencePieceFile& spec, std::string_view name) {
  if (spec.pieces.empty()) return invalid_input("[tokenizer] {}: expected pieces, got none", name);
  if (spec.model_type != SentencePieceFile::kBpe && spec.model_type != SentencePieceFile::kUnigram) {
    return unsupported("[tokenizer] {}: expected a SentencePiece model of type Unigram (1) or BPE (2), got type {}",
                       name, spec.model_type);
  }
  if (spec.denormalizes) return unsupported("[tokenizer] {}: expected no denormalizer, got a character map", name);
  if (spec.suffix_mark)
    return unsupported("[tokenizer] {}: expected words to begin with a mark, got words that end with one", name);
  for (size_t i = 0; i < spec.pieces.size(); ++i) {
    if (spec.pieces[i].type != PieceType::unused || spec.model_type == SentencePieceFile::kUnigram) continue;
    return unsupported("[tokenizer] {}: piece {} \"{}\": expected no unused pieces, got one", name, i,
                       spec.pieces[i].text);
  }
  if (spec.pieces.size() > kMaxTokenId) {
    return invalid_input("[tokenizer] {}: expected at most {} pieces, got {}", name, kMaxTokenId, spec.pieces.size());
  }
  return {};
}

std::string replaced(std::string_view piece, std::string_view from, std::string_view to) {
  std::string text(piece);
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

// Text of a piece as it is decoded, and as it stands in normalized text.
std::string spaced(std::string_view piece) { return replaced(piece, kWordMark, " "); }
std::string marked(std::string_view piece) { return replaced(piece, " ", kWordMark); }

// What becomes of the pieces, by type.
struct Sorted {
  Vocabulary vocabulary;
  std::vector<BpeModel::Scored> normal;
  TokenId unknown = kNoToken;
};

Status add_piece(const SentencePiece& piece, TokenId id, const SentencePieceFile& spec, Sorted& sorted,
                 PipelineTokenizer::Parts& parts) {
  const auto problem = [&](std::string_view text) {
    return invalid_input("[tokenizer] {}: piece {} \"{}\": {}", parts.file, id, piece.text, text);
  };
  if (piece.text.empty()) return problem("expected text, got none");
  const Status added = sorted.vocabulary.add(piece.text, id);
  if (!added.ok()) return problem(added.message());
  AddedToken token;
  token.id = id;
  token.content = piece.text;
  std::string bytes;
  switch (piece.type) {
    case PieceType::normal:
      sorted.normal.push_back({id, piece.score});
      bytes = spaced(piece.text);
      break;
    case PieceType::unknown:
      if (sorted.unknown != kNoToken) return problem("expected one unknown piece, got a second");
      sorted.unknown = id;
      break;
    case PieceType::control:
      token.special = true;
      parts.special_texts[id] = piece.text;
      token.right_strip =
          spec.strip_behind_added && piece.text != "<unk>" && piece.text != "<s>" && piece.text != "<|endoftext|>";
      parts.raw_tokens.add(token, token.content);
      break;
    case PieceType::user_defined:
      token.right_strip = spec.strip_behind_added;
      if (spec.added_as_written) {
        parts.raw_tokens.add(token, spaced(piece.text));
      } else {
        parts.normalized_tokens.add(token, marked(piece.text));
      }
      bytes = spaced(piece.text);
      break;
    case PieceType::unused:
      bytes = spaced(piece.text);
      break;
    case PieceType::byte: {
      const int byte = byte_of_name(piece.text);
      if (byte < 0) return problem("expected a byte piece like <0x0A>");
      bytes = std::string(1, static_cast<char>(byte));
    }
  }
  parts.bytes.add(id, bytes);
  return {};
}

Status add_model(const SentencePieceFile& spec, Sorted sorted, PipelineTokenizer::Parts& parts) {
  if (spec.model_type == SentencePieceFile::kBpe) {
    parts.kind = "sentencepiece-bpe";
    HALFTONE_ASSIGN(BpeModel model, BpeModel::from_scores(std::move(sorted.vocabulary), sorted.normal,
                                                          spec.byte_fallback, sorted.unknown, parts.file));
    parts.model = std::make_unique<BpeModel>(std::move(model));
    return {};
  }
  parts.kind = "sentencepiece-unigram";
  const auto size = static_cast<size_t>(sorted.vocabulary.size());
  std::vector<double> scores(size, 0);
  std::vector<bool> usable(size, false);
  double lowest = 0;
  for (const BpeModel::Scored& piece : sorted.normal) {
    scores[static_cast<size_t>(piece.id)] = piece.score;
    usable[static_cast<size_t>(piece.id)] = true;
    lowest = std::min(lowest, static_cast<double>(piece.score));
  }
  HALFTONE_ASSIGN(UnigramModel model, UnigramModel::create(std::move(sorted.vocabulary), scores, usable,
                                                           lowest - UnigramModel::kUnknownPenalty,
                                                           {sorted.unknown, spec.byte_fallback, true, parts.file}));
  parts.model = std::make_unique<UnigramModel>(std::move(model));
  return {};
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> read_sentencepiece(std::span<const std::byte> bytes, std::string_view name,
                                                            const SentencePieceOptions& options) {
  const std::string who = fmt::format("tokenizer {}", name);
  HALFTONE_ASSIGN(const SentencePieceFile spec, parse_sentencepiece(bytes, who));
  HALFTONE_TRY(check_supported(spec, name));
  return build_tokenizer(spec, name, options);
}

Result<std::shared_ptr<const Tokenizer>> build_tokenizer(const SentencePieceFile& spec, std::string_view name,
                                                         const SentencePieceOptions& options) {
  PipelineTokenizer::Parts parts;
  parts.file = name;
  Sorted sorted;
  for (size_t i = 0; i < spec.pieces.size(); ++i)
    HALFTONE_TRY(add_piece(spec.pieces[i], static_cast<TokenId>(i), spec, sorted, parts));
  HALFTONE_ASSIGN(CharactersMap map, CharactersMap::read(spec.map, fmt::format("[tokenizer] {}: normalization {}", name,
                                                                               spec.normalization)));
  parts.normalizer = Normalizer::sentencepiece(spec.dummy_prefix, spec.collapse, spec.escape, std::move(map));
  const int64_t size = parts.bytes.size();
  const int64_t bos = options.bos >= 0 ? options.bos : spec.bos, eos = options.eos >= 0 ? options.eos : spec.eos;
  for (const auto& [wanted, id, ids] : {std::tuple(options.add_bos, bos, &parts.post_processor.before),
                                        std::tuple(options.add_eos, eos, &parts.post_processor.behind)}) {
    if (!wanted) continue;
    if (id < 0 || id >= size)
      return invalid_input("[tokenizer] {}: expected bos and eos ids below {}, got {}", name, size, id);
    ids->push_back(static_cast<TokenId>(id));
  }
  HALFTONE_TRY(add_model(spec, std::move(sorted), parts));
  if (spec.dummy_prefix) parts.leading = " ";
  return std::shared_ptr<const Tokenizer>(std::make_shared<PipelineTokenizer>(std::move(parts)));
}

}  // namespace halftone
