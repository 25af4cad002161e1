// SPDX-License-Identifier: Apache-2.0
#include "runtime/kv.h"

#include <algorithm>

namespace halftone {

KvShape::KvShape(const Graph& graph) {
  for (const StateRef& state : graph.states) {
    offsets_.push_back(block_elements_);
    head_elements_.push_back(2 * kKvBlockTokens * state.head_dim);
    block_elements_ += head_elements_.back() * state.kv_heads;
  }
}

int64_t BlockTable::bytes() const {
  return static_cast<int64_t>(blocks_.size()) * shape_->block_elements() * static_cast<int64_t>(sizeof(uint16_t));
}

void BlockTable::reserve(int64_t tokens) {
  if (tokens == 0) return;
  const bool partial = length_ % kKvBlockTokens != 0;
  if (partial && blocks_.back().use_count() > 1) blocks_.back() = std::make_shared<KvBlock>(*blocks_.back());
  const int64_t needed = (length_ + tokens + kKvBlockTokens - 1) / kKvBlockTokens;
  while (static_cast<int64_t>(blocks_.size()) < needed) {
    blocks_.push_back(std::make_shared<KvBlock>(static_cast<size_t>(shape_->block_elements())));
  }
}

void BlockTable::truncate(int64_t length) {
  length_ = std::clamp<int64_t>(length, 0, length_);
  blocks_.resize(static_cast<size_t>((length_ + kKvBlockTokens - 1) / kKvBlockTokens));
}

}  // namespace halftone
