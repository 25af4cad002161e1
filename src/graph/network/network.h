// SPDX-License-Identifier: Apache-2.0
// Any model that is not a language model of a known family: a list of ops over dense arrays, imported from ONNX or
// TFLite.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "graph/network/ops.h"
#include "halftone/status.h"
#include "tensor/layout.h"
#include "tensor/tensor.h"

namespace halftone::network {

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;  // an optional input or output that a node does not have

struct Node {
  Op op;
  std::string name;  // as in the file; messages name it
  std::vector<ValueId> inputs, outputs;
};

struct Dimension {
  int64_t size = -1;   // -1: known when the network runs
  std::string symbol;  // "batch": equal symbols are equal sizes
};

// What a caller gives or gets.
struct Port {
  ValueId value = kNoValue;
  DType type = DType::f32;
  bool has_shape = false;  // false: any rank
  std::vector<Dimension> shape;
};

// A float constant as codes and scales: row r of the matrix is element r of the first axis of `shape`.
struct PackedConstant {
  WeightView matrix;
  Shape shape;
  std::shared_ptr<const void> keep;  // whose bytes the matrix borrows
};

using Constant = std::variant<Tensor, PackedConstant>;

// Nodes are in execution order; every value is written once: by an input, a constant or a node. Immutable once checked.
struct Network {
  std::string name;
  std::vector<std::string> values;  // names, by ValueId; unique
  std::vector<Node> nodes;
  std::map<ValueId, Tensor> constants;
  std::map<ValueId, PackedConstant> packed;
  std::vector<Port> inputs, outputs;

  const std::string& name_of(ValueId id) const { return values[static_cast<size_t>(id)]; }
};

// Puts nodes into execution order and checks what is said above; an error names the node: a cycle, an input that
// nothing writes, a value written twice, an output that does not exist.
Status finish(Network& network);
// One line per node, for people and tests; `members`: with those of its op that are not the default, as JSON.
std::string dump(const Network& network, bool members = false);

}  // namespace halftone::network
