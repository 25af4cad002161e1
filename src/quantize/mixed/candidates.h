// SPDX-License-Identifier: Apache-2.0
// The layouts that each matrix of a model may get, and its numbers in each of them.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/assign.h"
#include "quantize/mixed/trial_model.h"
#include "quantize/observer.h"

namespace halftone {

struct Candidate {
  Assignment assignment;  // source, layout, method
  AlignedBuffer<std::byte> panels;
  double kl = 0;  // of the model with only this matrix stored so

  int64_t bytes() const {  // stored, padding included
    const WeightView view = assignment.source->view();
    return assignment.layout->bytes(view.rows, view.columns, Order::panel16);
  }
  std::string_view method() const { return assignment.method == nullptr ? "" : assignment.method->name; }
};

struct CandidateTensor {
  WeightId id = kNoWeight;
  std::vector<Candidate> candidates;  // at least one

  const std::string& name() const { return candidates[0].assignment.source->name; }
  Trial trial(size_t candidate) const {
    const Candidate& one = candidates[candidate];
    return {id, one.assignment.layout, &one.panels};
  }
};

// Every matrix of the graph with every layout, in the order in which the graph reads them; a tied table is one. Method:
// where it cannot fill a layout, the layout's own (kmeans for palettes). The errors of assign_layouts.
Result<std::vector<CandidateTensor>> list_candidates(const Graph& graph, const ModelFile& source,
                                                     std::span<const Layout* const> layouts, std::string_view method);

// Packs candidates as the pipeline does, but with statistics of the float model, so that no candidate depends on
// another.
class CandidatePacker {
 public:
  // Borrows all. `texts` are what methods that use data see.
  CandidatePacker(const Graph& graph, const ModelFile& source, const Sequences& texts, ThreadPool& pool)
      : graph_(graph), source_(source), texts_(texts), pool_(pool) {}

  // All panels of one matrix. REQUIRES: asked for in the order of the graph
  Status pack(CandidateTensor& tensor);

 private:
  Result<InputStatistics> statistics(const CandidateTensor& tensor);
  Status pack(Candidate& candidate, const InputStatistics& statistics);

  const Graph& graph_;
  const ModelFile& source_;
  const Sequences& texts_;
  ThreadPool& pool_;
  std::unique_ptr<Observer> observer_;  // once a method asks
};

}  // namespace halftone
