// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/word_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace halftone {
namespace {

constexpr size_t kMinSlots = 16, kMaxSlots = 16384, kTextBytesPerSlot = 32;

}  // namespace

WordCache::WordCache(size_t text_bytes)
    : slots_(std::clamp(std::bit_ceil(text_bytes / kTextBytesPerSlot + 1), kMinSlots, kMaxSlots)) {}

WordCache::Slot& WordCache::slot_of(std::string_view word) {
  uint64_t hash = word.size();
  for (size_t at = 0; at < word.size(); at += sizeof(uint64_t)) {
    uint64_t part = 0;
    std::memcpy(&part, word.data() + at, std::min(sizeof(part), word.size() - at));
    hash = (hash ^ part) * 0x9E3779B97F4A7C15;
    hash ^= hash >> 32;
  }
  return slots_[hash & (slots_.size() - 1)];
}

std::span<const TokenId> WordCache::find(std::string_view word) {
  looked_ = nullptr;
  if (word.size() > kWordBytes) return {};
  looked_ = &slot_of(word);
  if (looked_->bytes != word.size() || std::memcmp(looked_->word, word.data(), word.size()) != 0) return {};
  return {looked_->ids, looked_->count};
}

void WordCache::put(std::string_view word, std::span<const TokenId> ids) {
  if (looked_ == nullptr || ids.size() > kIds) return;
  looked_->bytes = static_cast<uint8_t>(word.size());
  looked_->count = static_cast<uint8_t>(ids.size());
  std::memcpy(looked_->word, word.data(), word.size());
  std::copy(ids.begin(), ids.end(), looked_->ids);
}

}  // namespace halftone
