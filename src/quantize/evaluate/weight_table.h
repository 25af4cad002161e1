// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "base/aligned.h"
#include "formats/model_file.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "tensor/layout.h"

namespace halftone {

// The weights of a graph by id, each as the file stores it or replaced. Nothing is decoded until it is asked for, and
// decoded numbers belong to who asked: the table itself holds vectors (norms, biases, constants) and replacements only.
// Borrows graph and file. Reading is safe from several threads; replacing is not.
class WeightTable {
 public:
  // An error names the tensor that the file lacks or holds in another shape.
  static Result<WeightTable> create(const Graph& graph, const ModelFile& file);
  WeightTable(WeightTable&&) = default;  // not copied: what is computed with points into the table

  const WeightRef& ref(WeightId id) const { return graph_->weight(id); }
  bool is_matrix(WeightId id) const { return ref(id).rows > 1; }
  // What the kernels multiply with. REQUIRES: is_matrix(id)
  const WeightView& matrix(WeightId id) const { return entry(id).view; }
  // What the file has. REQUIRES: is_matrix(id)
  const WeightView& stored(WeightId id) const { return entry(id).stored; }
  // One row of floats, with WeightRef::offset added or WeightRef::constant in its place. REQUIRES: !is_matrix(id)
  const std::vector<float>& vector(WeightId id) const { return entry(id).values; }
  // (rows, columns) of either kind, decoded.
  std::vector<float> values(WeightId id) const;

  // The new numbers, (rows, columns): of a vector those that the graph computes with, so WeightRef::offset is in them.
  void replace(WeightId id, std::vector<float> values);
  // The same with packed panels (Order::panel16), which are multiplied with as they are. REQUIRES: is_matrix(id)
  void replace(WeightId id, const Layout& layout, AlignedBuffer<std::byte> panels);
  void restore(WeightId id);  // to what the file stores

 private:
  struct Entry {
    WeightView stored, view;    // view: what is computed with; of matrices
    std::vector<float> values;  // a vector, or a replacing matrix
    AlignedBuffer<std::byte> panels;
  };
  explicit WeightTable(const Graph& graph) : graph_(&graph), entries_(graph.weights.size()) {}
  const Entry& entry(WeightId id) const { return entries_[static_cast<size_t>(id)]; }
  Entry& entry(WeightId id) { return entries_[static_cast<size_t>(id)]; }

  const Graph* graph_;
  std::vector<Entry> entries_;
};

}  // namespace halftone
