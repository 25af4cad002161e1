// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "models/tokenizer.h"

namespace halftone {

// Ids of short words seen before, during one call. A word with the same hash pushes the older one out.
class WordCache {
 public:
  explicit WordCache(size_t text_bytes);
  // The ids of a word, or an empty span.
  std::span<const TokenId> find(std::string_view word);
  // Keeps the ids of the word that find() just looked for in vain. Long words and many ids are not kept.
  void put(std::string_view word, std::span<const TokenId> ids);

 private:
  static constexpr size_t kWordBytes = 30, kIds = 8;
  struct Slot {
    uint8_t bytes = 0, count = 0;
    char word[kWordBytes];
    TokenId ids[kIds];
  };
  Slot& slot_of(std::string_view word);
  std::vector<Slot> slots_;
  Slot* looked_ = nullptr;
};

}  // namespace halftone
