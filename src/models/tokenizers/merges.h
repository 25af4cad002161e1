// SPDX-License-Identifier: Apache-2.0
// Byte pair encoding: which two neighbours become one, the lowest rank first, the leftmost of equal ones.
#pragma once

#include <cstdint>
#include <vector>

#include "models/tokenizer.h"

namespace halftone {

class MergeTable {
 public:
  struct Merge {
    uint32_t rank = kNone;
    TokenId result = -1;
  };
  static constexpr uint32_t kNone = ~uint32_t{0};

  void reserve(size_t merges);
  // False when the pair is there already.
  bool add(TokenId left, TokenId right, uint32_t rank, TokenId result);
  Merge find(TokenId left, TokenId right) const;  // rank kNone: they stay apart
  size_t size() const { return count_; }

 private:
  struct Slot {
    uint64_t pair = kFree;
    Merge merge;
  };
  static constexpr uint64_t kFree = ~uint64_t{0};
  size_t slot_of(uint64_t pair) const;
  std::vector<Slot> slots_;
  int shift_ = 64;
  size_t count_ = 0;
};

// Scratch of one caller; merge() is linear in memory and n log n in time.
class Merger {
 public:
  explicit Merger(const MergeTable& table) : table_(table) {}
  void merge(std::vector<TokenId>& symbols);

 private:
  void merge_short(std::vector<TokenId>& symbols);
  void merge_long(std::vector<TokenId>& symbols);
  void offer(uint32_t at, const std::vector<TokenId>& symbols);
  const MergeTable& table_;
  std::vector<uint64_t> heap_;  // rank << 32 | position
  std::vector<uint32_t> next_, previous_;
};

}  // namespace halftone
