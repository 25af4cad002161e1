// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
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
  void put(std::span<const TokenId> ids);

 private:
  static constexpr size_t kWordBytes = 32, kIds = 7;
  // The bytes of a word in four numbers, which overlap and have zeros behind: words of one length have one key only if
  // they are the same.
  using Key = std::array<uint64_t, 4>;
  struct Slot {
    Key key{};
    uint8_t bytes = 0, count = 0;
    std::array<TokenId, kIds> ids;
  };
  static Key key_of(std::string_view word);
  Slot& slot_of(const Key& key, size_t bytes);
  std::vector<Slot> slots_;
  int shift_;
  Slot* looked_ = nullptr;
  Key key_{};  // of the word that was looked for, and its length
  uint8_t bytes_ = 0;
};

}  // namespace halftone
