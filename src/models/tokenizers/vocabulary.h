// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"
#include "models/tokenizer.h"

namespace halftone {

inline constexpr TokenId kNoToken = -1;
inline constexpr int64_t kMaxTokenId = (1 << 22) - 1;  // 16 times the largest vocabulary that exists

// Pieces by id and ids by piece, in one block of text. Ids may have holes.
class Vocabulary {
 public:
  // An error when the piece or the id is there already; it says what is wrong without a place.
  Status add(std::string_view piece, int64_t id);
  TokenId find(std::string_view piece) const;  // kNoToken when there is none
  bool contains(TokenId id) const { return id >= 0 && id < size() && entries_[static_cast<size_t>(id)].begin != kHole; }
  std::string_view piece(TokenId id) const;                               // empty for holes
  int64_t size() const { return static_cast<int64_t>(entries_.size()); }  // one more than the largest id
  int64_t count() const { return count_; }

 private:
  static constexpr uint64_t kHole = ~uint64_t{0};
  struct Entry {
    uint64_t begin = kHole;
    uint32_t length = 0;
  };
  size_t slot_of(std::string_view piece) const;
  void grow();
  std::string text_;
  std::vector<Entry> entries_;
  std::vector<TokenId> slots_;  // open addressing, a power of two, at most half full
  int64_t count_ = 0;
};

}  // namespace halftone
