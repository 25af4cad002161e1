// SPDX-License-Identifier: Apache-2.0
// A network while passes rewrite it: who writes and who reads each value.
#pragma once

#include <optional>
#include <vector>

#include "graph/network/network.h"
#include "graph/network/types.h"

namespace halftone::network {

class Rewriter {
 public:
  explicit Rewriter(Network& network);

  Network& network;

  // The op that makes a value, when it is a T; null otherwise.
  template <class T>
  const T* made_by(ValueId id) const {
    const Node* node = writer(id);
    return node == nullptr ? nullptr : std::get_if<T>(&node->op);
  }
  const Node* writer(ValueId id) const;  // null: an input or constant
  bool is_output(ValueId id) const;
  int readers(ValueId id) const { return id < 0 ? 0 : readers_[static_cast<size_t>(id)]; }
  MaybeType type_of(ValueId id) const { return id < 0 ? MaybeType() : types_[static_cast<size_t>(id)]; }

  const Tensor* constant(ValueId id) const;        // null: none
  const Tensor* floats(ValueId id) const;          // a constant of f32
  std::optional<double> scalar(ValueId id) const;  // a constant with one float
  std::optional<std::vector<int64_t>> integers(ValueId id) const;
  bool is(ValueId id, double value) const;  // a scalar within 1e-4 of it, relatively

  ValueId add_constant(const std::string& hint, Tensor tensor);
  ValueId add_value(const std::string& hint);
  // The node that writes `output` now computes `op` of `inputs`.
  void replace(ValueId output, Op op, std::vector<ValueId> inputs);
  void add_node(Op op, const std::string& name, std::vector<ValueId> inputs, ValueId output);
  // Whoever reads `from` reads `to`.
  void redirect(ValueId from, ValueId to);

  // Removes nodes whose outputs nobody reads and constants nobody reads; how many nodes.
  int remove_dead();
  void index();  // after nodes were added or removed

 private:
  std::vector<int> writers_, readers_;
  std::vector<MaybeType> types_;
};

// The factors of a product, through products in products and divisions by scalars. `scalar`: the product of those that
// are scalars; `others`: the rest.
struct Factors {
  double scalar = 1;
  std::vector<ValueId> others;
};
Factors factors_of(const Rewriter& rewriter, ValueId product);

// Passes: each returns how many places it rewrote, and leaves the index true.
int drop_identities(Rewriter& rewriter);
int fuse_activations(Rewriter& rewriter);
int fuse_norms(Rewriter& rewriter);
int fuse_attention(Rewriter& rewriter);
int fold_batch_norms(Rewriter& rewriter);

}  // namespace halftone::network
