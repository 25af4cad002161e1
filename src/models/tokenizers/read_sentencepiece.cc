// SPDX-License-Identifier: Apache-2.0
// tokenizer.model, a protobuf message of the SentencePiece library → the parts of a tokenizer. Only BPE models.
#include <tuple>

#include "base/error.h"
#include "models/tokenizers/decoder.h"
#include "models/tokenizers/pipeline.h"
#include "models/tokenizers/sentencepiece_file.h"
#include "models/tokenizers/word_mark.h"

namespace halftone {
namespace {

constexpr uint64_t kBpe = 2;

Status check_supported(const SentencePieceFile& spec, std::string_view name) {
  if (spec.pieces.empty()) return invalid_input("[tokenizer] {}: expected pieces, got none", name);
  if (spec.model_type != kBpe) {
    return unsupported("[tokenizer] {}: expected a SentencePiece model of type BPE (2), got type {}", name,
                       spec.model_type);
  }
  if (spec.has_map) {
    return unsupported("[tokenizer] {}: expected identity normalization, got a character map ({})", name,
                       spec.normalization);
  }
  if (spec.denormalizes) return unsupported("[tokenizer] {}: expected no denormalizer, got a character map", name);
  if (spec.suffix_mark)
    return unsupported("[tokenizer] {}: expected words to begin with a mark, got words that end with one", name);
  if (spec.pieces.size() > kMaxTokenId) {
    return invalid_input("[tokenizer] {}: expected at most {} pieces, got {}", name, kMaxTokenId, spec.pieces.size());
  }
  return {};
}

// Text of a piece as it is decoded.
std::string spaced(std::string_view piece) {
  std::string text(piece);
  for (size_t at = text.find(kWordMark); at != std::string::npos; at = text.find(kWordMark, at))
    text.replace(at, kWordMark.size(), " ");
  return text;
}

// What becomes of the pieces, by type.
struct Sorted {
  Vocabulary vocabulary;
  std::vector<BpeModel::Scored> normal;
  TokenId unknown = kNoToken;
};

Status add_piece(const SentencePiece& piece, TokenId id, Sorted& sorted, PipelineTokenizer::Parts& parts) {
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
      parts.raw_tokens.add(token, token.content);
      break;
    case PieceType::user_defined:
      parts.normalized_tokens.add(token, token.content);
      bytes = spaced(piece.text);
      break;
    case PieceType::unused:
      return unsupported("[tokenizer] {}: piece {} \"{}\": expected no unused pieces, got one", parts.file, id,
                         piece.text);
    case PieceType::byte: {
      const int byte = byte_of_name(piece.text);
      if (byte < 0) return problem("expected a byte piece like <0x0A>");
      bytes = std::string(1, static_cast<char>(byte));
    }
  }
  parts.bytes.add(id, bytes);
  return {};
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> read_sentencepiece(std::span<const std::byte> bytes, std::string_view name,
                                                            const SentencePieceOptions& options) {
  const std::string who = fmt::format("tokenizer {}", name);
  HALFTONE_ASSIGN(const SentencePieceFile spec, parse_sentencepiece(bytes, who));
  HALFTONE_TRY(check_supported(spec, name));
  PipelineTokenizer::Parts parts;
  parts.kind = "sentencepiece-bpe";
  parts.file = name;
  Sorted sorted;
  for (size_t i = 0; i < spec.pieces.size(); ++i)
    HALFTONE_TRY(add_piece(spec.pieces[i], static_cast<TokenId>(i), sorted, parts));
  parts.normalizer = Normalizer::sentencepiece(spec.dummy_prefix, spec.collapse, spec.escape);
  const int64_t size = parts.bytes.size();
  const int64_t bos = options.bos >= 0 ? options.bos : spec.bos, eos = options.eos >= 0 ? options.eos : spec.eos;
  for (const auto& [wanted, id, ids] : {std::tuple(options.add_bos, bos, &parts.post_processor.before),
                                        std::tuple(options.add_eos, eos, &parts.post_processor.behind)}) {
    if (!wanted) continue;
    if (id < 0 || id >= size)
      return invalid_input("[tokenizer] {}: expected bos and eos ids below {}, got {}", name, size, id);
    ids->push_back(static_cast<TokenId>(id));
  }
  HALFTONE_ASSIGN(parts.model, BpeModel::from_scores(std::move(sorted.vocabulary), sorted.normal, spec.byte_fallback,
                                                     sorted.unknown, std::string(name)));
  if (spec.dummy_prefix) parts.leading = " ";
  return std::shared_ptr<const Tokenizer>(std::make_shared<PipelineTokenizer>(std::move(parts)));
}

}  // namespace halftone
