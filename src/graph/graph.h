// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "graph/ops.h"
#include "halftone/status.h"

namespace halftone {

struct Value {
  std::string name;
  int64_t width = 0;  // (tokens, width); 0 until infer_shapes
};

// A parameter by its name in the file, or a constant that the family computed (rope frequencies).
struct WeightRef {
  std::string name;               // Hugging Face name, "model.layers.0.self_attn.q_proj.weight"
  int64_t rows = 0, columns = 0;  // vectors: rows = 1
  std::vector<float> constant;    // non-empty: not in the file
  float offset = 0;               // added to every element of a vector when it is read (Gemma stores norms - 1)
};

// Key and value memory of one attention op, owned by a sequence.
struct StateRef {
  std::string name;
  int32_t kv_heads = 0, head_dim = 0;
  int64_t window = 0;
};

struct Node {
  Op op;
  std::string name;  // "layers.0.q_proj"
  std::vector<ValueId> inputs;
  ValueId output;
};

// Nodes are in execution order. Built once by a family, then immutable.
struct Graph {
  std::vector<Value> values;
  std::vector<WeightRef> weights;
  std::vector<StateRef> states;
  std::vector<Node> nodes;
  ValueId logits = -1;  // (tokens, vocab)

  const WeightRef& weight(WeightId id) const { return weights[static_cast<size_t>(id)]; }
};

// Adds nodes, names values after them, shares weights by name (tied embeddings are one WeightRef). The first mistake (a
// weight named twice with other sizes, a value that does not exist) is kept and given by finish().
class GraphBuilder {
 public:
  WeightId weight(std::string name, int64_t rows, int64_t columns);
  WeightId vector(std::string name, int64_t size, float offset = 0);
  WeightId constant(std::string name, std::vector<float> values);
  StateId state(std::string name, int32_t kv_heads, int32_t head_dim, int64_t window);
  ValueId add(std::string name, Op op, std::vector<ValueId> inputs);
  // Infers and checks every width; an error names the node.
  Result<Graph> finish(ValueId logits) &&;

 private:
  Graph graph_;
  std::map<std::string, WeightId, std::less<>> weight_ids_;
  Status mistake_;
};

// Sets every Value::width in node order and checks operands, weights and states; an error names the node.
Status infer_shapes(Graph& graph);
std::string_view name_of(const Op& op);  // "rms_norm"
std::string dump(const Graph& graph);    // one line per node, for people and golden tests

}  // namespace halftone
