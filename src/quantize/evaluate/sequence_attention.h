// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "base/aligned.h"
#include "graph/ops.h"
#include "quantize/evaluate/sequences.h"
#include "quantize/products.h"

namespace halftone {

// Causal attention of whole sequences in floats, and its derivative. A piece of work is one sequence and one key head;
// queries come in blocks, whose scores are the only thing that grows with the length.
class SequenceAttention {
 public:
  // Borrows all three.
  SequenceAttention(const Attention& op, const Sequences& sequences, Products& products);

  // q and out: (tokens, heads * head_dim); k and v: (tokens, kv_heads * head_dim)
  void forward(const float* q, const float* k, const float* v, float* out);
  // Scores are computed again. Everything d_x has x's shape and is overwritten.
  struct Backward {
    const float *q, *k, *v, *d_out;
    float *d_q, *d_k, *d_v;
  };
  void backward(const Backward& io);

 private:
  struct Scratch;
  struct Block;
  void for_items(const std::function<void(int64_t sequence, int64_t kv_head, int thread)>& body);
  std::vector<Block> blocks_of(int64_t sequence) const;
  void probabilities(const float* q, const Block& block, int64_t head, Scratch& scratch, int thread);
  void backward_block(const Backward& io, const Block& block, int64_t head, Scratch& scratch, int thread);
  void score_gradients(const Block& block, Scratch& scratch) const;

  const Attention& op_;
  const Sequences& sequences_;
  Products& products_;
  int64_t q_width_, kv_width_;
};

}  // namespace halftone
