// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/transform/scale_groups.h"

namespace halftone {

// The stream that every layer reads through a norm and adds to: what a rotation of it must change.
struct Residual {
  WeightId embedding = kNoWeight;        // (vocabulary, width): its columns
  std::vector<WeightId> writers;         // matrices and biases whose output is added to the stream: their rows
  std::vector<const ScaleGroup*> norms;  // what reads it: gains, and the columns behind them. Points into `groups`
  int64_t width = 0;
};

// An error says what in the graph stands against it: a tied head, a LayerNorm, a norm behind a layer.
Result<Residual> find_residual(const Graph& graph, const ScaleGroups& groups);

}  // namespace halftone
