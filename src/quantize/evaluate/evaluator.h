// SPDX-License-Identifier: Apache-2.0
// A graph over whole texts in floats, one node at a time over all tokens, so that a caller can look at what enters a
// node, change its weight, and only then run it: what follows sees the changed weight.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/evaluate/float_buffers.h"
#include "quantize/evaluate/rope_tables.h"
#include "quantize/evaluate/sequences.h"
#include "quantize/evaluate/weight_table.h"
#include "quantize/products.h"

namespace halftone {

struct EvaluatorOptions {
  bool keep_values = false;  // all values stay, as gradients need them; else those that a later node reads
  // What is wide and made token by token (inside of an MLP), and norms, are not held but made again, some tokens at a
  // time, whenever they are read: memory for time.
  bool defer_wide = false;
};

// A value is (tokens, width) floats. Bits depend neither on threads nor on the other sequences. One caller at a time.
//
// Peak memory: 4 bytes * tokens * (widths of the values alive together: of a Llama layer about 3 * intermediate + 2 *
// hidden, 5 * hidden in attention and hidden in the MLP when wide ones are deferred, or of all values when kept), and
// scratch of 0.6 MB, one sequence's keys and 128 rows of scores per thread. No weight is decoded: kernels read the
// stored numbers. Logits are a value like others: run_tail gives them in pieces.
class Evaluator {
 public:
  // Borrows all. An error: no token, a sequence without tokens, or a token id outside of the embedding table.
  static Result<std::unique_ptr<Evaluator>> create(const Graph& graph, const WeightTable& weights,
                                                   const Sequences& sequences, ThreadPool& pool,
                                                   EvaluatorOptions options = {});

  // Other sequences in the same memory; every value is forgotten. The same errors.
  Status reset(const Sequences& sequences);

  // Computes the node's output, then releases the inputs that no later node reads. A node may be run again while its
  // inputs are alive. REQUIRES: has_value of all its inputs
  Status run_node(size_t index);
  Status run(size_t begin, size_t end);  // nodes [begin, end) in order

  // The nodes from here on are Linear and SoftCap, token by token, and end in the logits.
  size_t tail_begin() const { return tail_begin_; }
  // Logits (end - begin, vocabulary) of tokens [begin, end), from the value that the tail reads. Nothing else changes.
  Status run_tail(int64_t begin, int64_t end, AlignedBuffer<float>& logits);

  bool has_value(ValueId id) const { return slot(id).size() > 0; }
  // (tokens, width), until released. REQUIRES: has_value(id)
  std::span<const float> value(ValueId id) const;
  // body(first token, tokens, (tokens, width)) for stretches of kStretch tokens in order; deferred values, too.
  static constexpr int64_t kStretch = 1024;
  using Visitor = std::function<void(int64_t first, int64_t tokens, const float* rows)>;
  Status visit(ValueId id, const Visitor& body);
  // Gives a value from outside, (tokens, width), to begin in the middle of a graph.
  void set_value(ValueId id, std::span<const float> value);
  void release(ValueId id);

  int64_t tokens() const { return sequences_->size(); }
  int64_t width(ValueId id) const { return graph_.values[static_cast<size_t>(id)].width; }
  const Graph& graph() const { return graph_; }
  const WeightTable& weights() const { return weights_; }
  const Sequences& sequences() const { return *sequences_; }
  Products& products() { return products_; }
  RopeTables& rope_tables() { return rope_tables_; }

 private:
  Evaluator(const Graph& graph, const WeightTable& weights, Products products, EvaluatorOptions options);
  const AlignedBuffer<float>& slot(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  Status check(const Sequences& sequences) const;

  // Each computes `out` from the node's inputs.
  Status compute(const Embedding& op, const Node& node, float* out);
  Status compute(const Rope& op, const Node& node, float* out);
  Status compute(const Attention& op, const Node& node, float* out);
  Status compute(const SoftCap& op, const Node& node, float* out);
  Status compute(const Add& op, const Node& node, float* out);
  // Token by token, of rows that are given.
  struct Rows {
    const float* inputs[2];
    int64_t tokens;
    float* out;
  };
  Status compute_rows(const Node& node, const Rows& rows);
  // Ops of compute_rows, of whole values.
  template <class Op>
  Status compute(const Op&, const Node& node, float* out) {
    const float* second = node.inputs.size() > 1 ? value(node.inputs[1]).data() : nullptr;
    return compute_rows(node, {{value(node.inputs[0]).data(), second}, tokens(), out});
  }
  void defer_wide_nodes();
  ValueId tail_input() const {
    return tail_begin_ < graph_.nodes.size() ? graph_.nodes[tail_begin_].inputs[0] : graph_.logits;
  }
  bool is_deferred(ValueId id) const { return maker_[static_cast<size_t>(id)] != kNoMaker; }
  struct Scratch;
  Status rows_of(ValueId id, int64_t first, int64_t tokens, Scratch& scratch, const float** rows);
  Status run_in_stretches(const Node& node, float* out);
  Status multiply(const Linear& op, const float* x, int64_t tokens, float* out);
  // body(token) over the pool, for rows of so many floats.
  template <class Body>
  void for_tokens(int64_t row_floats, const Body& body) {
    for_rows(products_.pool(), tokens(), row_floats, body);
  }

  const Graph& graph_;
  const WeightTable& weights_;
  const Sequences* sequences_ = nullptr;
  Products products_;
  EvaluatorOptions options_;
  RopeTables rope_tables_;
  size_t tail_begin_ = 0;
  std::vector<size_t> last_reader_;  // by value; nodes.size(): none
  static constexpr size_t kNoMaker = static_cast<size_t>(-1);
  std::vector<size_t> maker_;                 // by value: the node that makes it again, where it is deferred
  std::vector<AlignedBuffer<float>> values_;  // by id; empty: not alive
  FloatBuffers spare_;                        // of released values, where all are kept
};

}  // namespace halftone
