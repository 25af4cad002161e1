// SPDX-License-Identifier: Apache-2.0
// Where a graph lets channels be scaled without a change of what it computes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace halftone {

// Neighbouring rows or columns of one weight, and the channel that each of them carries. A vector is one row: its
// elements are columns.
struct ScaledPart {
  WeightId weight = kNoWeight;
  bool rows = false;  // else columns
  int64_t first = 0;
  std::vector<int32_t> channels;  // one per row or column from `first` on
  bool operator==(const ScaledPart&) const = default;
};

enum class GroupKind : uint8_t {
  norm,       // gain and bias of a norm → columns of every matrix that reads it
  up,         // rows of the factor beside the activation → columns of what reads the product
  value,      // rows of values → columns of what reads the attention
  query_key,  // rows of queries → rows of keys, pairs that rotate together as one; where norms stand behind them: gains
};
std::string_view name_of(GroupKind kind);

// Producers divided by one factor per channel and consumers multiplied by it: the same function. Channels that several
// rows share (heads of one key and value head, pairs of rope) have one factor.
struct ScaleGroup {
  GroupKind kind;
  std::string name;  // of the producing node: "layers.0.input_layernorm"
  int64_t channels = 0;
  std::vector<ScaledPart> producers = {}, consumers = {};
  ValueId value = -1;    // what all consumers read; query_key: none
  int64_t head_dim = 0;  // value: so many neighbouring channels are a head, and may be mixed with each other
};

struct ScaleGroups {
  std::vector<ScaleGroup> groups;     // in the order of the graph
  std::vector<std::string> left_out;  // groups that would be, and why they are not
};

// Read from the graph's edges alone. A group is there only where every reader of the scaled value is among its
// consumers; one whose matrix has other readers (a head tied to the embedding) is left out, and said.
ScaleGroups scale_groups(const Graph& graph);

}  // namespace halftone
