// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/word_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace halftone {
namespace {

constexpr size_t kMinSlots = 16, kMaxSlots = 16384, kTextBytesPerSlot = 32;

template <typename T>
uint64_t load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

}  // namespace

WordCache::WordCache(size_t text_bytes)
    : slots_(std::clamp(std::bit_ceil(text_bytes / kTextBytesPerSlot + 1), kMinSlots, kMaxSlots)),
      shift_(64 - std::countr_zero(slots_.size())) {}

WordCache::Key WordCache::key_of(std::string_view word) {
  const char* const first = word.data();
  const char* const end = first + word.size();
  if (word.size() >= 16)
    return {load<uint64_t>(first), load<uint64_t>(first + 8), load<uint64_t>(end - 16), load<uint64_t>(end - 8)};
  if (word.size() >= 8) return {load<uint64_t>(first), load<uint64_t>(end - 8), 0, 0};
  if (word.size() >= 4) return {load<uint32_t>(first) | load<uint32_t>(end - 4) << 32, 0, 0, 0};
  if (word.empty()) return {};
  return {load<uint8_t>(first) | load<uint8_t>(first + word.size() / 2) << 8 | load<uint8_t>(end - 1) << 16, 0, 0, 0};
}

WordCache::Slot& WordCache::slot_of(const Key& key, size_t bytes) {
  uint64_t hash = (key[0] ^ bytes) * 0x9E3779B97F4A7C15;
  if (bytes >= 8) hash = (hash ^ hash >> 32 ^ key[1]) * 0xD6E8FEB86659FD93;
  if (bytes >= 16) hash = (hash ^ hash >> 32 ^ key[2] ^ std::rotl(key[3], 29)) * 0x9E3779B97F4A7C15;
  return slots_[(hash ^ hash >> 29) * 0xD6E8FEB86659FD93 >> shift_];
}

std::span<const TokenId> WordCache::find(std::string_view word) {
  looked_ = nullptr;
  if (word.size() > kWordBytes) return {};
  key_ = key_of(word);
  bytes_ = static_cast<uint8_t>(word.size());
  looked_ = &slot_of(key_, word.size());
  if (looked_->bytes != bytes_ || looked_->key != key_) return {};
  return {looked_->ids.data(), looked_->count};
}

void WordCache::put(std::span<const TokenId> ids) {
  if (looked_ == nullptr || ids.size() > kIds) return;
  looked_->key = key_;
  looked_->bytes = bytes_;
  looked_->count = static_cast<uint8_t>(ids.size());
  std::copy(ids.begin(), ids.end(), looked_->ids.begin());
}

}  // namespace halftone
