// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "base/aligned.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/evaluate/evaluator.h"

namespace halftone {

// d loss / d weight, for the weights that are wanted, from d loss / d some value: reverse mode over the nodes that an
// Evaluator ran with keep_values. Sums over tokens are floats in a fixed order: the same bits for any number of
// threads.
//
// Memory: 4 bytes * (wanted weights + 3 * tokens * the widest value) and at most 128 MB of a decoded matrix beside the
// evaluator's values.
class Gradients {
 public:
  // wanted: by WeightId; empty: every weight that is no constant. Borrows the graph.
  explicit Gradients(const Graph& graph, std::vector<bool> wanted = {});

  // Adds what nodes [begin, the node that computed `output`] contribute. d_output: (tokens, width of output). What lies
  // before `begin` counts as given. REQUIRES: the evaluator holds every value of those nodes and their inputs, as
  // computed with the weights that it has now.
  Status add(Evaluator& evaluator, ValueId output, std::span<const float> d_output, size_t begin = 0);

  // (rows, columns), the sum since clear(): of all nodes that read the weight (tied embeddings) and of all calls of
  // add. Of a vector with an offset, by the number that the graph computes with. REQUIRES: wanted
  std::span<const float> weight(WeightId id) const;
  void clear();

  // From here on add() leaves d loss / d these values behind, each (tokens, width), until the next call; also of what
  // lies before its `begin`, so that a graph can be gone through in parts.
  void keep(std::vector<ValueId> ids) { kept_ = std::move(ids); }
  // REQUIRES: kept, and on the way from the last call's output
  std::span<const float> value(ValueId id) const;

 private:
  struct Flow;  // one call of add
  void mark_needed(size_t begin);
  void keep_value(ValueId id);

  const Graph& graph_;
  std::vector<bool> wanted_;                  // by weight
  std::vector<bool> needed_;                  // by value: some wanted weight lies before it
  std::vector<AlignedBuffer<float>> sums_;    // by weight; empty: not wanted
  std::vector<AlignedBuffer<float>> values_;  // d loss / d value, while they are waited for
  std::vector<ValueId> kept_;
  std::vector<std::vector<float>> kept_values_;  // as kept_
  FloatBuffers spare_;
};

}  // namespace halftone
