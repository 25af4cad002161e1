// SPDX-License-Identifier: Apache-2.0
// Key and value memory: blocks of 64 tokens that hold every attention state of the model, heads as
// kernels/attention/attention_args.h says. Forked sequences share blocks; a block is copied when a sharer writes to it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/large_block.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "kernels/attention/attention.h"

namespace halftone {

// Where each state's heads lie inside a block, in bytes.
class KvShape {
 public:
  KvShape(const Graph& graph, KvType type);
  KvType type() const { return type_; }
  int64_t block_bytes() const { return block_bytes_; }
  int64_t window() const { return window_; }  // the widest of all states; 0 when one of them sees every token
  int64_t k_offset(StateId state, int64_t head) const {
    const Heads& heads = heads_[static_cast<size_t>(state)];
    return heads.offset + head * (heads.k_bytes + heads.v_bytes);
  }
  int64_t v_offset(StateId state, int64_t head) const {
    return k_offset(state, head) + heads_[static_cast<size_t>(state)].k_bytes;
  }

 private:
  struct Heads {
    int64_t offset, k_bytes, v_bytes;
  };
  KvType type_;
  std::vector<Heads> heads_;  // by state
  int64_t block_bytes_ = 0, window_ = 0;
};

using KvBlock = LargeBlock;

class BlockTable {
 public:
  explicit BlockTable(std::shared_ptr<const KvShape> shape) : shape_(std::move(shape)) {}
  const KvShape& shape() const { return *shape_; }
  int64_t length() const { return length_; }
  int64_t bytes() const;  // of the blocks held
  // Makes room for `tokens` more: allocates blocks, and copies a partial last block that others share.
  void reserve(int64_t tokens);
  void advance(int64_t tokens) { length_ += tokens; }
  // Releases the blocks that no later token sees, where every state has a window.
  void release_unseen();
  // An error, and nothing changes, when tokens that the next one would see were released.
  Status truncate(int64_t length);
  // One per 64 tokens; null where released.
  const std::byte* const* blocks() const { return places_.data(); }
  std::byte* block(int64_t position) const { return places_[static_cast<size_t>(position / kKvBlockTokens)]; }

 private:
  int64_t first_seen(int64_t position) const;  // the first key that a token at `position` or later may see
  void put(size_t index, std::shared_ptr<KvBlock> block);

  std::shared_ptr<const KvShape> shape_;
  std::vector<std::shared_ptr<KvBlock>> blocks_;
  std::vector<std::byte*> places_;  // of blocks_
  size_t released_ = 0;             // blocks, from the first
  int64_t length_ = 0;
};

}  // namespace halftone
