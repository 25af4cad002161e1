// SPDX-License-Identifier: Apache-2.0
#include "runtime/kv.h"

#include <algorithm>

#include "base/error.h"

namespace halftone {

KvShape::KvShape(const Graph& graph, KvType type) : type_(type) {
  bool all_bounded = true;
  for (const StateRef& state : graph.states) {
    heads_.push_back({block_bytes_, k_block_bytes(type, state.head_dim), v_block_bytes(type, state.head_dim)});
    block_bytes_ += (heads_.back().k_bytes + heads_.back().v_bytes) * state.kv_heads;
    all_bounded = all_bounded && state.window > 0;
    window_ = std::max(window_, state.window);
  }
  if (!all_bounded) window_ = 0;
}

int64_t BlockTable::bytes() const { return static_cast<int64_t>(blocks_.size() - released_) * shape_->block_bytes(); }

void BlockTable::put(size_t index, std::shared_ptr<KvBlock> block) {
  if (index == blocks_.size()) {
    blocks_.emplace_back();
    places_.emplace_back();
  }
  blocks_[index] = std::move(block);
  places_[index] = blocks_[index] == nullptr ? nullptr : blocks_[index]->data();
}

void BlockTable::reserve(int64_t tokens) {
  if (tokens == 0) return;
  const bool partial = length_ % kKvBlockTokens != 0;
  if (partial && blocks_.back().use_count() > 1) put(blocks_.size() - 1, std::make_shared<KvBlock>(*blocks_.back()));
  const int64_t needed = (length_ + tokens + kKvBlockTokens - 1) / kKvBlockTokens;
  while (static_cast<int64_t>(blocks_.size()) < needed) {
    put(blocks_.size(), std::make_shared<KvBlock>(static_cast<size_t>(shape_->block_bytes())));
  }
}

int64_t BlockTable::first_seen(int64_t position) const {
  return shape_->window() > 0 ? std::max<int64_t>(0, position + 1 - shape_->window()) : 0;
}

void BlockTable::release_unseen() {
  const auto end = static_cast<size_t>(first_seen(length_) / kKvBlockTokens);
  for (; released_ < std::min(end, blocks_.size()); ++released_) put(released_, nullptr);
}

Status BlockTable::truncate(int64_t length) {
  length = std::clamp<int64_t>(length, 0, length_);
  const auto held = static_cast<int64_t>(released_) * kKvBlockTokens;
  if (length > 0 && first_seen(length) < held) {
    return invalid_input(
        "[sequence] expected to keep no token or at least {} of {}, got {}: tokens before {} left every window of {} "
        "and were released",
        std::min(length_, held + shape_->window() - 1), length_, length, held, shape_->window());
  }
  length_ = length;
  blocks_.resize(static_cast<size_t>((length_ + kKvBlockTokens - 1) / kKvBlockTokens));
  places_.resize(blocks_.size());
  released_ = std::min(released_, blocks_.size());
  return {};
}

}  // namespace halftone
