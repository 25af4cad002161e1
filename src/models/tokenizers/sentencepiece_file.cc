// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/sentencepiece_file.h"

#include <cmath>

#include "base/byte_reader.h"
#include "base/error.h"
#include "base/utf8.h"

namespace halftone {
namespace {

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

Result<SentencePiece> read_piece(ByteReader reader) {
  SentencePiece piece;
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

Status read_trainer(ByteReader reader, SentencePieceFile& spec) {
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

Status read_normalizer(ByteReader reader, SentencePieceFile& spec) {
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
        HALFTONE_ASSIGN(spec.map, reader.length_text());
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

Result<SentencePieceFile> read_spec(ByteReader reader) {
  SentencePieceFile spec;
  while (!reader.at_end()) {
    HALFTONE_ASSIGN(const ByteReader::Tag tag, reader.tag());
    if (tag.field < 1 || tag.field > 5 || tag.field == 4) {  // 4: self-test samples
      HALFTONE_TRY(reader.skip_field(tag.wire));
      continue;
    }
    HALFTONE_TRY(expect_wire(reader, tag, Wire::length));
    HALFTONE_ASSIGN(const ByteReader message, reader.message());
    if (tag.field == 1) {
      HALFTONE_ASSIGN(const SentencePiece piece, read_piece(message));
      spec.pieces.push_back(piece);
    } else if (tag.field == 2) {
      HALFTONE_TRY(read_trainer(message, spec));
    } else if (tag.field == 3) {
      HALFTONE_TRY(read_normalizer(message, spec));
    } else {
      SentencePieceFile denormalizer;
      HALFTONE_TRY(read_normalizer(message, denormalizer));
      spec.denormalizes = !denormalizer.map.empty();
    }
  }
  return spec;
}

}  // namespace

Result<SentencePieceFile> parse_sentencepiece(std::span<const std::byte> bytes, std::string_view who) {
  return read_spec(ByteReader(bytes, who));
}

}  // namespace halftone
