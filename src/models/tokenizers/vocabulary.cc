// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/vocabulary.h"

#include <functional>

#include "base/error.h"

namespace halftone {

Status Vocabulary::add(std::string_view piece, int64_t id) {
  if (id < 0 || id > kMaxTokenId) return invalid_input("expected an id from 0 to {}, got {}", kMaxTokenId, id);
  const auto token = static_cast<TokenId>(id);
  if (contains(token)) {
    return invalid_input("expected ids used once, got id {} for \"{}\" and for \"{}\"", id, this->piece(token), piece);
  }
  if (2 * (count_ + 1) > static_cast<int64_t>(slots_.size())) grow();
  const size_t slot = slot_of(piece);
  if (slots_[slot] != kNoToken) {
    return invalid_input("expected pieces used once, got \"{}\" with ids {} and {}", piece, slots_[slot], id);
  }
  if (id >= size()) entries_.resize(static_cast<size_t>(id) + 1);
  entries_[static_cast<size_t>(id)] = {text_.size(), static_cast<uint32_t>(piece.size())};
  text_ += piece;
  slots_[slot] = token;
  ++count_;
  return {};
}

TokenId Vocabulary::find(std::string_view piece) const { return slots_.empty() ? kNoToken : slots_[slot_of(piece)]; }

std::string_view Vocabulary::piece(TokenId id) const {
  if (!contains(id)) return {};
  const Entry& entry = entries_[static_cast<size_t>(id)];
  return std::string_view(text_).substr(entry.begin, entry.length);
}

// The slot of the piece, or the free one where it belongs.
size_t Vocabulary::slot_of(std::string_view piece) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = std::hash<std::string_view>()(piece) & mask;
  while (slots_[slot] != kNoToken && this->piece(slots_[slot]) != piece) slot = (slot + 1) & mask;
  return slot;
}

void Vocabulary::grow() {
  slots_.assign(slots_.empty() ? 1024 : 2 * slots_.size(), kNoToken);
  for (TokenId id = 0; id < size(); ++id) {
    if (contains(id)) slots_[slot_of(piece(id))] = id;
  }
}

}  // namespace halftone
