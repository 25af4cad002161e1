// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "formats/onnx/lowering.h"
#include "formats/onnx/messages.h"
#include "formats/onnx/onnx.h"

namespace halftone::onnx {

// Names that nodes may read: those of a graph, a branch inside of it or a function's body. A branch sees what is
// outside.
struct Scope {
  const Scope* outer = nullptr;
  std::string prefix;  // of names inside, so that a body used twice does not clash
  std::map<std::string_view, ValueId> values;
  std::map<std::string_view, int64_t> opsets;
  std::map<std::string_view, const AttributeMessage*> parameters;  // of a function
  int depth = 0;

  std::optional<ValueId> find(std::string_view name) const;
};

class Importer {
 public:
  Importer(const Source& source, const ModelMessage& model);
  Result<network::Network> run();

 private:
  Status read_opsets(const std::vector<OpsetMessage>& said, Scope& scope);
  Status declare_inputs(const GraphMessage& graph, Scope& scope);
  Status add_initializers(const GraphMessage& graph, Scope& scope);
  Status declare_outputs(const std::vector<NodeMessage>& nodes, Scope& scope);
  Status add_nodes(const std::vector<NodeMessage>& nodes, Scope& scope);
  Status add_node(const NodeMessage& node, Scope& scope);
  Status add_constant(Lowering& node);
  Status add_branch(const NodeMessage& node, const Scope& scope, Lowering& lowering);
  Status add_function(const FunctionMessage& function, const NodeMessage& node, const Scope& scope,
                      const std::vector<ValueId>& inputs, const std::vector<ValueId>& outputs);
  Status give_outputs(const std::vector<std::string_view>& names, const Scope& body, const std::string& name,
                      const std::vector<ValueId>& outputs);
  Result<std::map<std::string_view, const AttributeMessage*>> attributes_of(const NodeMessage& node,
                                                                            const Scope& scope) const;
  Status set_ports(const GraphMessage& graph, const Scope& scope);
  Result<network::Port> port_of(const ValueMessage& value, ValueId id);

  // Remembers what is missing, and goes on.
  void missing(std::string what, std::string_view where);
  Status missing_error() const;
  template <class... Args>
  Status error(fmt::format_string<Args...> format, Args&&... args) const {
    return invalid_input("[onnx] {}: {}", source_.name, fmt::format(format, std::forward<Args>(args)...));
  }

  struct Missing {
    size_t count = 0;
    std::string first;
  };

  const Source& source_;
  const ModelMessage& model_;
  TensorLoader loader_;
  Draft draft_;
  std::map<std::string, Missing> missing_;
  size_t nodes_read_ = 0;  // with every function in its place
};

// How messages name a node: its name, or what it makes.
std::string name_of(const NodeMessage& node);

}  // namespace halftone::onnx
