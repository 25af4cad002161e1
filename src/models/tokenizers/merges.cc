// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/merges.h"

#include <algorithm>
#include <array>
#include <functional>

namespace halftone {
namespace {

// Up to this many symbols looking at all pairs is faster than a heap.
constexpr size_t kShort = 40;
constexpr TokenId kGone = -1;

uint64_t pair_of(TokenId left, TokenId right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

}  // namespace

void MergeTable::reserve(size_t merges) {
  size_t slots = 16;
  int bits = 4;
  while (slots < 2 * merges) slots *= 2, ++bits;
  if (slots <= slots_.size()) return;
  std::vector<Slot> old(slots);
  old.swap(slots_);
  shift_ = 64 - bits;
  for (const Slot& slot : old) {
    if (slot.pair != kFree) slots_[slot_of(slot.pair)] = slot;
  }
}

size_t MergeTable::slot_of(uint64_t pair) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = (pair ^ pair >> 29) * 0x9E3779B97F4A7C15 >> shift_;
  while (slots_[slot].pair != kFree && slots_[slot].pair != pair) slot = (slot + 1) & mask;
  return slot;
}

bool MergeTable::add(TokenId left, TokenId right, uint32_t rank, TokenId result) {
  reserve(count_ + 1);
  const uint64_t pair = pair_of(left, right);
  Slot& slot = slots_[slot_of(pair)];
  if (slot.pair == pair) return false;
  slot = {pair, {rank, result}};
  ++count_;
  return true;
}

MergeTable::Merge MergeTable::find(TokenId left, TokenId right) const {
  return slots_.empty() ? Merge{} : slots_[slot_of(pair_of(left, right))].merge;
}

void Merger::merge(std::vector<TokenId>& symbols) {
  if (symbols.size() < 2) return;
  symbols.size() <= kShort ? merge_short(symbols) : merge_long(symbols);
}

void Merger::merge_short(std::vector<TokenId>& symbols) {
  std::array<uint32_t, kShort> ranks;  // of each symbol and the next
  std::array<TokenId, kShort> results;
  const auto look = [&](size_t at) {
    const MergeTable::Merge merge = table_.find(symbols[at], symbols[at + 1]);
    ranks[at] = merge.rank;
    results[at] = merge.result;
  };
  size_t pairs = symbols.size() - 1;
  for (size_t i = 0; i < pairs; ++i) look(i);
  while (pairs > 0) {
    size_t best = 0;
    for (size_t i = 1; i < pairs; ++i) best = ranks[i] < ranks[best] ? i : best;
    if (ranks[best] == MergeTable::kNone) break;
    symbols[best] = results[best];
    --pairs;
    for (size_t i = best; i < pairs; ++i) {
      symbols[i + 1] = symbols[i + 2];
      ranks[i] = ranks[i + 1];
      results[i] = results[i + 1];
    }
    if (best > 0) look(best - 1);
    if (best < pairs) look(best);
  }
  symbols.resize(pairs + 1);
}

void Merger::offer(uint32_t at, const std::vector<TokenId>& symbols) {
  const uint32_t next = next_[at];
  if (next >= symbols.size()) return;
  const MergeTable::Merge merge = table_.find(symbols[at], symbols[next]);
  if (merge.rank == MergeTable::kNone) return;
  heap_.push_back(uint64_t{merge.rank} << 32 | at);
}

void Merger::merge_long(std::vector<TokenId>& symbols) {
  const auto count = static_cast<uint32_t>(symbols.size());
  next_.resize(count);
  previous_.resize(count);
  heap_.clear();
  for (uint32_t i = 0; i < count; ++i) {
    next_[i] = i + 1;
    previous_[i] = i == 0 ? count : i - 1;
    offer(i, symbols);
  }
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    const auto rank = static_cast<uint32_t>(heap_.back() >> 32), at = static_cast<uint32_t>(heap_.back());
    heap_.pop_back();
    // An offer is stale when a neighbour has merged since: the pair now has another rank, or is gone.
    if (symbols[at] == kGone || next_[at] >= count) continue;
    const MergeTable::Merge merge = table_.find(symbols[at], symbols[next_[at]]);
    if (merge.rank != rank) continue;
    symbols[at] = merge.result;
    symbols[next_[at]] = kGone;
    next_[at] = next_[next_[at]];
    if (next_[at] < count) previous_[next_[at]] = at;
    for (const uint32_t changed : {previous_[at], at}) {
      if (changed >= count) continue;
      const size_t before = heap_.size();
      offer(changed, symbols);
      if (heap_.size() > before) std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    }
  }
  symbols.erase(std::remove(symbols.begin(), symbols.end(), kGone), symbols.end());
}

}  // namespace halftone
