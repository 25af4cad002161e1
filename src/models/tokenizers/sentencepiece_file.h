// SPDX-License-Identifier: Apache-2.0
// tokenizer.model, a protobuf message of the SentencePiece library, as written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

enum class PieceType : uint64_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
struct SentencePiece {
  std::string_view text;
  float score = 0;
  PieceType type = PieceType::normal;
};

// The fields that decide how text is cut; defaults as in SentencePiece's own definition.
struct SentencePieceFile {
  static constexpr uint64_t kUnigram = 1, kBpe = 2;
  std::vector<SentencePiece> pieces;
  uint64_t model_type = kUnigram;
  bool byte_fallback = false, suffix_mark = false;
  int64_t bos = 1, eos = 2;
  std::string_view normalization, map;  // name of the character map, and the map
  bool denormalizes = false;
  bool dummy_prefix = true, collapse = true, escape = true;
  bool added_as_written =
      false;  // of no file: user-defined pieces are searched before normalization, as GGUF means them
  bool strip_behind_added = false;  // of no file: Phi-3's control tokens take the white space behind them
};

// The file borrows `bytes`; `who` opens messages. Checks the protobuf, UTF-8 and finite scores.
Result<SentencePieceFile> parse_sentencepiece(std::span<const std::byte> bytes, std::string_view who);

}  // namespace halftone
