// SPDX-License-Identifier: Apache-2.0
// Key and value memory: blocks of 64 tokens that hold every attention state of the model. K as panels of 16 keys, V row-major
// (kernels/attention/attention.h). Forked sequences share blocks; a block is copied when a sharer writes to it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned.h"
#include "graph/graph.h"
#include "kernels/attention/attention.h"

namespace halftone {

// Where each state's heads lie inside a block, in f16 elements.
class KvShape {
 public:
  explicit KvShape(const Graph& graph);
  int64_t block_elements() const { return block_elements_; }
  int64_t k_offset(StateId state, int64_t head) const {
    return offsets_[static_cast<size_t>(state)] + head * head_elements_[static_cast<size_t>(state)];
  }
  int64_t v_offset(StateId state, int64_t head) const {
    return k_offset(state, head) + head_elements_[static_cast<size_t>(state)] / 2;
  }

 private:
  std::vector<int64_t> offsets_, head_elements_;
  int64_t block_elements_ = 0;
};

using KvBlock = AlignedBuffer<uint16_t>;

class BlockTable {
 public:
  explicit BlockTable(std::shared_ptr<const KvShape> shape) : shape_(std::move(shape)) {}
  int64_t length() const { return length_; }
  int64_t bytes() const;
  // Makes room for `tokens` more: allocates blocks, and copies a partial last block that others share.
  void reserve(int64_t tokens);
  void advance(int64_t tokens) { length_ += tokens; }
  void truncate(int64_t length);

  uint16_t* k(StateId state, int64_t head, int64_t position) { return element(shape_->k_offset(state, head), position); }
  uint16_t* v(StateId state, int64_t head, int64_t position) { return element(shape_->v_offset(state, head), position); }

 private:
  uint16_t* element(int64_t offset, int64_t position) {
    return blocks_[static_cast<size_t>(position / kKvBlockTokens)]->data() + offset;
  }
  std::shared_ptr<const KvShape> shape_;
  std::vector<std::shared_ptr<KvBlock>> blocks_;
  int64_t length_ = 0;
};

}  // namespace halftone
