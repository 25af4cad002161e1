// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "halftone/status.h"
#include "models/json_reader.h"

namespace halftone {

// The "decoder" of a tokenizer.json: what bytes a piece of the vocabulary stands for.
class PieceDecoder {
 public:
  static Result<PieceDecoder> read(JsonReader& tokenizer);
  std::string bytes_of(std::string_view piece) const;
  // Taken off the front of a decoded text: what encoding put there.
  std::string_view leading() const { return leading_; }

 private:
  Status read_step(JsonReader& reader, int depth);
  Status read_strip(JsonReader& reader);
  std::string word_piece(std::string_view piece) const;
  bool byte_level_ = false, byte_fallback_ = false, word_pieces_ = false, clean_ = false;
  std::string inside_;  // what marks a piece inside of a word (WordPiece)
  std::vector<std::pair<std::string, std::string>> replacements_;
  std::string leading_;
};

// The value of "<0x0A>"; -1 when the piece is no such name of a byte.
int byte_of_name(std::string_view piece);
std::string name_of_byte(uint8_t byte);

}  // namespace halftone
