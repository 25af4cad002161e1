// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

// SentencePiece's compiled character map: a double-array trie of texts and what each becomes. Immutable.
class CharactersMap {
 public:
  CharactersMap() = default;  // changes nothing
  // `place` opens messages. Checks every part that reading uses.
  static Result<CharactersMap> read(std::string_view blob, std::string_view place);
  bool empty() const { return units_.empty(); }
  // SentencePiece: the longest text that the map knows, again and again. REQUIRES: valid UTF-8.
  std::string apply(std::string_view text) const;
  // Hugging Face's tokenizers: clusters of less than 6 bytes as a whole, else characters; of what the map knows the
  // shortest counts.
  std::string apply_clusters(std::string_view text) const;

 private:
  struct Found {
    size_t length;
    uint32_t target;  // in targets_
  };
  std::optional<Found> find(std::string_view text, bool longest) const;
  std::string_view target(uint32_t at) const { return targets_.c_str() + at; }
  std::vector<uint32_t> units_;
  std::string targets_;  // texts that end with a zero
};

}  // namespace halftone
