// SPDX-License-Identifier: Apache-2.0
// tokenizer.model, a protobuf message of the SentencePiece library → the parts of a tokenizer. Only BPE models.
#include <cmath>
#include <tuple>

#include "base/byte_reader.h"
#include "base/error.h"
#include "base/utf8.h"
#include "models/tokenizers/decoder.h"
#include "models/tokenizers/pipeline.h"
#include "models/tokenizers/word_mark.h"

namespace halftone {
namespace {

enum class PieceType : uint64_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
constexpr uint64_t kBpe = 2;

struct Piece {
  std::string_view text;
  float score = 0;
  PieceType type = PieceType::normal;
};

// The fields that decide how text is cut; defaults as in SentencePiece's own definition.
struct Spec {
  std::vector<Piece> pieces;
  uint64_t model_type = 1;
  bool byte_fallback = false, suffix_mark = false;
  int64_t bos = 1, eos = 2;
  std::string_view normalization;
  bool has_map = false, denormalizes = false;
  bool dummy_prefix = true, collapse = true, escape = true;
};

using Wire = ByteReader::Wire;

Status expect_wire(const ByteReader& reader, ByteReader::Tag tag, Wire wire) {
  if (tag.wire == wire) return {};
  return reader.error(fmt::format("field {}: expected wire type {}, got {}; the file is damaged", tag.field,
                                  static_cast<int>(wire), static_cast<int>(tag.wire)));
}

Result<uint64_t> number(ByteReader& reader, ByteReader::Tag tag) {
  HALFTONE_TRY(expect_wire(reader, tag, Wire::varint));
  return reader.varint();
}

Status read_flag(ByteReader& reader, ByteReader::Tag tag, bool& flag) {
  HALFTONE_ASSIGN(const uint64_t value, number(reader, tag));
  flag = value != 0;
  return {};
}

Result<Piece> read_piece(ByteReader reader) {
  Piece piece;
  while (!reader.at_end()) {
    HALFTONE_ASSIGN(const ByteReader::Tag tag, reader.tag());
    if (tag.field == 1) {
      HALFTONE_TRY(expect_wire(reader, tag, Wire::length));
      HALFTONE_ASSIGN(piece.text, reader.length_text());
    } else if (tag.field == 2) {
      HALFTONE_TRY(expect_wire(reader, tag, Wire::fixed32));
      HALFTONE_ASSIGN(piece.score, reader.f32());
    } else if (tag.field == 3) {
      HALFTONE_ASSIGN(const uint64_t type, number(reader, tag));
      if (type < 1 || type > 6) return reader.error(fmt::format("expected a piece type from 1 to 6, got {}", type));
      piece.type = static_cast<PieceType>(type);
    } else {
      HALFTONE_TRY(reader.skip_field(tag.wire));
    }
  }
  if (first_invalid_utf8(piece.text)) return reader.error("expected a piece in UTF-8");
  if (!std::isfinite(piece.score))
    return reader.error(fmt::format("piece \"{}\": expected a finite score", piece.text));
  return piece;
}

Status read_trainer(ByteReader reader, Spec& spec) {
  while (!reader.at_end()) {
    HALFTONE_ASSIGN(const ByteReader::Tag tag, reader.tag());
    switch (tag.field) {
      case 3: {
        HALFTONE_ASSIGN(spec.model_type, number(reader, tag));
        break;
      }
      case 24:
        HALFTONE_TRY(read_flag(reader, tag, spec.suffix_mark));
        break;
      case 35:
        HALFTONE_TRY(read_flag(reader, tag, spec.byte_fallback));
        break;
      case 41: {
        HALFTONE_ASSIGN(const uint64_t id, number(reader, tag));
        spec.bos = static_cast<int64_t>(id);
        break;
      }
      case 42: {
        HALFTONE_ASSIGN(const uint64_t id, number(reader, tag));
        spec.eos = static_cast<int64_t>(id);
        break;
      }
      default:
        HALFTONE_TRY(reader.skip_field(tag.wire));
    }
  }
  return {};
}

Status read_normalizer(ByteReader reader, Spec& spec) {
  while (!reader.at_end()) {
    HALFTONE_ASSIGN(const ByteReader::Tag tag, reader.tag());
    switch (tag.field) {
      case 1: {
        HALFTONE_TRY(expect_wire(reader, tag, Wire::length));
        HALFTONE_ASSIGN(spec.normalization, reader.length_text());
        break;
      }
      case 2: {
        HALFTONE_TRY(expect_wire(reader, tag, Wire::length));
        HALFTONE_ASSIGN(const std::string_view map, reader.length_text());
        spec.has_map = !map.empty();
        break;
      }
      case 3:
        HALFTONE_TRY(read_flag(reader, tag, spec.dummy_prefix));
        break;
      case 4:
        HALFTONE_TRY(read_flag(reader, tag, spec.collapse));
        break;
      case 5:
        HALFTONE_TRY(read_flag(reader, tag, spec.escape));
        break;
      default:
        HALFTONE_TRY(reader.skip_field(tag.wire));
    }
  }
  return {};
}

Result<Spec> read_spec(ByteReader reader) {
  Spec spec;
  while (!reader.at_end()) {
    HALFTONE_ASSIGN(const ByteReader::Tag tag, reader.tag());
    if (tag.field < 1 || tag.field > 5 || tag.field == 4) {  // 4: self-test samples
      HALFTONE_TRY(reader.skip_field(tag.wire));
      continue;
    }
    HALFTONE_TRY(expect_wire(reader, tag, Wire::length));
    HALFTONE_ASSIGN(const ByteReader message, reader.message());
    if (tag.field == 1) {
      HALFTONE_ASSIGN(const Piece piece, read_piece(message));
      spec.pieces.push_back(piece);
    } else if (tag.field == 2) {
      HALFTONE_TRY(read_trainer(message, spec));
    } else if (tag.field == 3) {
      HALFTONE_TRY(read_normalizer(message, spec));
    } else {
      Spec denormalizer;
      HALFTONE_TRY(read_normalizer(message, denormalizer));
      spec.denormalizes = denormalizer.has_map;
    }
  }
  return spec;
}

Status check_supported(const Spec& spec, std::string_view name) {
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

Status add_piece(const Piece& piece, TokenId id, Sorted& sorted, PipelineTokenizer::Parts& parts) {
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
  HALFTONE_ASSIGN(const Spec spec, read_spec(ByteReader(bytes, who)));
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
