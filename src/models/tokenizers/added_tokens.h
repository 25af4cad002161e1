// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer.h"
#include "models/tokenizers/pattern.h"

namespace halftone {

struct AddedToken {
  TokenId id = -1;
  std::string content;
  bool special = false;                          // parsed only where special tokens are wanted; gives no text
  bool normalized = false;                       // searched in the normalized text
  bool left_strip = false, right_strip = false;  // takes the white space beside it
  bool single_word = false;                      // only where no letter, digit or _ touches it
};

// Finds many strings in a text, the leftmost first and the longest of those.
class AddedTokenFinder {
 public:
  struct Part {
    Range range;
    TokenId id;  // kNoToken: text between tokens
  };
  // `content`: what is searched for, the normalized content for normalized tokens. Later tokens with the same content
  // win.
  void add(const AddedToken& token, std::string_view content);
  bool empty() const { return tokens_.empty(); }
  // Covers all of `text`. special: false leaves special tokens in the text.
  std::vector<Part> split(std::string_view text, bool special) const;

 private:
  struct Node {
    std::vector<std::pair<uint8_t, uint32_t>> children;  // by byte, sorted
    int32_t token = -1;
  };
  struct Match {
    const AddedToken* token = nullptr;
    size_t length = 0;
  };
  Match match_at(std::string_view text, size_t at) const;
  std::vector<AddedToken> tokens_;
  // The first place from `at` on where a token may begin, or the end.
  size_t next_begin(std::string_view text, size_t at) const;
  std::array<bool, 256> begins_{};      // a token begins with the byte
  std::bitset<65536> begins_with_two_;  // with both; for a token of one byte all second ones
  std::vector<Node> nodes_{1};
};

}  // namespace halftone
