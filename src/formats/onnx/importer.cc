// SPDX-License-Identifier: Apache-2.0
#include "formats/onnx/importer.h"

#include <algorithm>

namespace halftone::onnx {
namespace {

constexpr int kMostScopes = 16;  // functions in functions in branches ...

std::string_view plain_domain(std::string_view domain) { return domain == "ai.onnx" ? "" : domain; }

std::string operator_name(const NodeMessage& node) {
  const std::string_view domain = plain_domain(node.domain);
  return domain.empty() ? std::string(node.type) : fmt::format("{}.{}", domain, node.type);
}

}  // namespace

std::string name_of(const NodeMessage& node) {
  if (!node.name.empty()) return std::string(node.name);
  for (const std::string_view output : node.outputs)
    if (!output.empty()) return fmt::format("{}:{}", node.type, output);
  return std::string(node.type);
}

std::optional<ValueId> Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->outer)
    if (const auto found = scope->values.find(name); found != scope->values.end()) return found->second;
  return {};
}

Importer::Importer(const Source& source, const ModelMessage& model) : source_(source), model_(model), loader_(source) {}

void Importer::missing(std::string what, std::string_view where) {
  Missing& entry = missing_[std::move(what)];
  if (entry.count++ == 0) entry.first = where;
}

Status Importer::missing_error() const {
  std::string list;
  for (const auto& [what, entry] : missing_)
    list += fmt::format("\n  {}: {} time{}, first at {}", what, entry.count, entry.count == 1 ? "" : "s", entry.first);
  return unsupported(
      "[onnx] {}: the model needs what halftone does not have:{}\nwrite these with other operators when exporting (at "
      "opset {} to {}), or ask for them: docs/models.md lists what there is",
      source_.name, list, kLeastOpset, kMostOpset);
}

Status Importer::read_opsets(const std::vector<OpsetMessage>& said, Scope& scope) {
  for (const OpsetMessage& opset : said) {
    const std::string_view domain = plain_domain(opset.domain);
    if (domain.empty() && (opset.version < kLeastOpset || opset.version > kMostOpset))
      missing(fmt::format("opset {} (expected {} to {})", opset.version, kLeastOpset, kMostOpset), "the model");
    scope.opsets.insert_or_assign(domain, opset.version);
  }
  return {};
}

Status Importer::declare_inputs(const GraphMessage& graph, Scope& scope) {
  for (const ValueMessage& input : graph.inputs) {
    if (input.name.empty()) return error("input {} of the graph has no name", scope.values.size());
    if (!scope.values.emplace(input.name, draft_.add_value(scope.prefix + std::string(input.name))).second)
      return error("two inputs are named {}", input.name);
  }
  return {};
}

Status Importer::add_initializers(const GraphMessage& graph, Scope& scope) {
  if (graph.sparse_initializers > 0) missing("sparse initializers", "the graph");
  for (const TensorMessage& message : graph.initializers) {
    if (message.name.empty()) return error("an initializer has no name");
    // An initializer that is an input as well is its default, which nobody replaces here.
    auto found = scope.values.find(message.name);
    if (found == scope.values.end())
      found = scope.values.emplace(message.name, draft_.add_value(scope.prefix + std::string(message.name))).first;
    else if (draft_.constant(found->second) != nullptr)
      return error("two initializers are named {}", message.name);
    Result<Tensor> tensor = loader_.load(message);
    if (!tensor.ok() && tensor.status().code() == StatusCode::unsupported) {
      missing(std::string(tensor.status().message()), message.name);
      continue;
    }
    HALFTONE_TRY(tensor.status());
    draft_.set_constant(found->second, *std::move(tensor));
    if (const auto type = element_type(message.type); type->narrow()) draft_.narrow.emplace(found->second, *type);
  }
  return {};
}

Status Importer::declare_outputs(const std::vector<NodeMessage>& nodes, Scope& scope) {
  for (const NodeMessage& node : nodes)
    for (const std::string_view output : node.outputs)
      if (!output.empty() && !scope.values.contains(output))
        scope.values.emplace(output, draft_.add_value(scope.prefix + std::string(output)));
  return {};
}

Result<std::map<std::string_view, const AttributeMessage*>> Importer::attributes_of(const NodeMessage& node,
                                                                                    const Scope& scope) const {
  std::map<std::string_view, const AttributeMessage*> attributes;
  for (const AttributeMessage& attribute : node.attributes) {
    const AttributeMessage* value = &attribute;
    if (!attribute.parameter.empty()) {
      const auto found = scope.parameters.find(attribute.parameter);
      if (found == scope.parameters.end()) continue;  // the call leaves it out: the operator's default holds
      value = found->second;
    }
    if (!attributes.emplace(attribute.name, value).second)
      return error("node {} has two attributes {}", name_of(node), attribute.name);
  }
  return attributes;
}

Status Importer::add_nodes(const std::vector<NodeMessage>& nodes, Scope& scope) {
  HALFTONE_TRY(declare_outputs(nodes, scope));
  for (const NodeMessage& node : nodes) {
    HALFTONE_TRY(add_node(node, scope));
    if (++nodes_read_ > kMostNodes)
      return error("expected at most {} nodes with every function in its place, got more", kMostNodes);
  }
  return {};
}

Status Importer::add_node(const NodeMessage& node, Scope& scope) {
  const std::string name = scope.prefix + name_of(node);
  std::vector<ValueId> inputs, outputs;
  for (const std::string_view input : node.inputs) {
    const auto id = input.empty() ? std::optional(kNoValue) : scope.find(input);
    if (!id) return error("node {} ({}) reads {}, which no node, input or initializer writes", name, node.type, input);
    inputs.push_back(*id);
  }
  for (const std::string_view output : node.outputs)
    outputs.push_back(output.empty() ? kNoValue : scope.values.find(output)->second);
  const std::string_view domain = plain_domain(node.domain);
  for (const FunctionMessage& function : model_.functions)
    if (function.name == node.type && plain_domain(function.domain) == domain && function.overload == node.overload)
      return add_function(function, node, scope, inputs, outputs);

  HALFTONE_ASSIGN(auto attributes, attributes_of(node, scope));
  const auto opset = scope.opsets.find(domain);
  if (opset == scope.opsets.end() && domain.empty())
    return error("node {}: expected the model to name the opset of {}, got none", name, node.type);
  Lowering lowering(draft_, loader_, node, opset == scope.opsets.end() ? 1 : opset->second, name, inputs, outputs,
                    std::move(attributes));
  Status status;
  if (domain.empty() && node.type == "Constant") {
    status = add_constant(lowering);
  } else if (domain.empty() && node.type == "If") {
    status = add_branch(node, scope, lowering);
  } else if (const OpRow* row = find_row(domain, node.type)) {
    status = row->lower(lowering);
  } else {
    missing(operator_name(node), name);
    return {};
  }
  if (status.ok()) status = lowering.finish();
  if (status.code() == StatusCode::unsupported && status.message().substr(0, 1) != "[")
    missing(fmt::format("{} with {}", operator_name(node), status.message()), name);
  else if (!status.ok() && status.message().substr(0, 1) != "[")
    return error("node {} ({}): {}", name, node.type, status.message());
  else
    return status;
  return {};
}

Status Importer::add_constant(Lowering& node) {
  Tensor tensor;
  const auto vector = [](DType type, const auto& values, bool scalar) {
    return Tensor::of(type, scalar ? Shape{} : Shape{static_cast<int64_t>(values.size())}, std::span(values));
  };
  if (node.has("value")) {
    HALFTONE_ASSIGN(tensor, node.tensor("value"));
  } else if (node.has("value_int")) {
    tensor = vector(DType::i64, std::vector<int64_t>{node.integer("value_int", 0)}, true);
  } else if (node.has("value_ints")) {
    tensor = vector(DType::i64, node.integers("value_ints"), false);
  } else if (node.has("value_float")) {
    tensor = vector(DType::f32, std::vector<float>{node.number("value_float", 0)}, true);
  } else if (node.has("value_floats")) {
    tensor = vector(DType::f32, node.numbers("value_floats"), false);
  } else {
    return unsupported("a value that is text or sparse");
  }
  if (node.out(0) == kNoValue) return invalid_input("expected an output, got none");
  if (draft_.constant(node.out(0)) != nullptr) return invalid_input("its output is written twice");
  draft_.set_constant(node.out(0), std::move(tensor));
  return {};
}

Status Importer::give_outputs(const std::vector<std::string_view>& names, const Scope& body, const std::string& name,
                              const std::vector<ValueId>& outputs) {
  for (size_t i = 0; i < outputs.size() && i < names.size(); ++i) {
    if (outputs[i] == kNoValue) continue;
    const auto made = body.find(names[i]);
    if (!made || *made == kNoValue)
      return error("node {}: the body has no value {}, which is its output", name, names[i]);
    if (*made != outputs[i]) draft_.add_node(network::Identity{}, name, {*made}, {outputs[i]});
  }
  return {};
}

Status Importer::add_branch(const NodeMessage& node, const Scope& scope, Lowering& lowering) {
  lowering.ignore("then_branch");
  lowering.ignore("else_branch");
  const Tensor* condition = lowering.constant(lowering.in(0));
  if (condition == nullptr) return unsupported("a condition that is known only when it runs");
  if (condition->type() != DType::boolean || condition->elements() != 1)
    return invalid_input("expected one boolean as condition, got {} of {}", halftone::name_of(condition->type()),
                         text_of(condition->shape()));
  const std::string_view wanted = condition->values<bool>()[0] ? "then_branch" : "else_branch";
  const auto attribute = std::ranges::find(node.attributes, wanted, &AttributeMessage::name);
  if (attribute == node.attributes.end() || attribute->graphs.size() != 1)
    return invalid_input("expected a graph as {}, got none", wanted);
  if (scope.depth == kMostScopes) return invalid_input("expected at most {} graphs in graphs, got more", kMostScopes);
  const GraphMessage& graph = attribute->graphs.front();
  Scope body;
  body.outer = &scope;
  body.prefix = scope.prefix + name_of(node) + "/";
  body.opsets = scope.opsets;
  body.parameters = scope.parameters;
  body.depth = scope.depth + 1;
  HALFTONE_TRY(declare_inputs(graph, body));
  HALFTONE_TRY(add_initializers(graph, body));
  HALFTONE_TRY(add_nodes(graph.nodes, body));
  std::vector<std::string_view> names;
  for (const ValueMessage& output : graph.outputs) names.push_back(output.name);
  return give_outputs(names, body, body.prefix, lowering.all_out());
}

Status Importer::add_function(const FunctionMessage& function, const NodeMessage& node, const Scope& scope,
                              const std::vector<ValueId>& inputs, const std::vector<ValueId>& outputs) {
  if (scope.depth == kMostScopes)
    return error("node {}: expected functions nested at most {} deep, got more (does {} call itself?)", name_of(node),
                 kMostScopes, node.type);
  Scope body;
  body.prefix = scope.prefix + name_of(node) + "/";
  body.depth = scope.depth + 1;
  HALFTONE_TRY(read_opsets(function.opsets, body));
  HALFTONE_ASSIGN(body.parameters, attributes_of(node, scope));
  for (const auto& [name, attribute] : body.parameters) {
    const bool known = std::ranges::find(function.parameters, name) != function.parameters.end() ||
                       std::ranges::find(function.defaults, name, &AttributeMessage::name) != function.defaults.end();
    if (!known) missing(fmt::format("{} with attribute {}", node.type, name), body.prefix);
  }
  for (const AttributeMessage& attribute : function.defaults) body.parameters.emplace(attribute.name, &attribute);
  if (inputs.size() > function.inputs.size() || outputs.size() > function.outputs.size())
    return error("node {}: expected at most {} inputs and {} outputs of the function {}, got {} and {}", name_of(node),
                 function.inputs.size(), function.outputs.size(), node.type, inputs.size(), outputs.size());
  for (size_t i = 0; i < function.inputs.size(); ++i)
    body.values.emplace(function.inputs[i], i < inputs.size() ? inputs[i] : kNoValue);
  HALFTONE_TRY(add_nodes(function.nodes, body));
  return give_outputs(function.outputs, body, body.prefix, outputs);
}

Result<network::Port> Importer::port_of(const ValueMessage& value, ValueId id) {
  network::Port port;
  port.value = id;
  if (value.type.kind != "tensor" && !value.type.kind.empty()) {
    missing(fmt::format("values that are a {}", value.type.kind), value.name);
    return port;
  }
  if (const auto type = element_type(value.type.element)) {
    port.type = type->type;
    if (type->narrow()) draft_.narrow.emplace(id, *type);
  } else if (value.type.element != 0) {
    missing(fmt::format("values of type {}", element_name(value.type.element)), value.name);
  } else if (const auto known = draft_.type_of(id)) {
    port.type = *known;
  }
  port.has_shape = value.type.has_shape;
  for (const DimensionMessage& dimension : value.type.shape) {
    if (dimension.size < -1)
      return error("{}: expected sizes that are not negative, got {}", value.name, dimension.size);
    port.shape.push_back({dimension.symbol.empty() ? dimension.size : -1, std::string(dimension.symbol)});
  }
  return port;
}

Status Importer::set_ports(const GraphMessage& graph, const Scope& scope) {
  for (const ValueMessage& output : graph.outputs) {
    const auto id = scope.find(output.name);
    if (!id) return error("output {} is written by no node", output.name);
    HALFTONE_ASSIGN(network::Port port, port_of(output, *id));
    draft_.network.outputs.push_back(std::move(port));
  }
  return {};
}

Result<network::Network> Importer::run() {
  const GraphMessage& graph = model_.graph;
  if (!model_.has_graph) return error("expected a graph, got none; is this an ONNX model?");
  Scope scope;
  HALFTONE_TRY(read_opsets(model_.opsets, scope));
  HALFTONE_TRY(declare_inputs(graph, scope));
  HALFTONE_TRY(add_initializers(graph, scope));
  for (const ValueMessage& input : graph.inputs) {
    const ValueId id = scope.values.find(input.name)->second;
    if (draft_.constant(id) != nullptr) continue;
    HALFTONE_ASSIGN(network::Port port, port_of(input, id));
    draft_.set_type(id, port.type);
    draft_.network.inputs.push_back(std::move(port));
  }
  HALFTONE_TRY(add_nodes(graph.nodes, scope));
  HALFTONE_TRY(set_ports(graph, scope));
  if (!missing_.empty()) return missing_error();
  draft_.network.name = graph.name;
  const Status status = finish(draft_.network);
  if (!status.ok()) return Status(status.code(), fmt::format("[onnx] {}: {}", source_.name, status.message()));
  return std::move(draft_.network);
}

Result<network::Network> import_model(const Source& source) {
  HALFTONE_ASSIGN(const ModelMessage model, parse_model(source.bytes, source.name));
  return Importer(source, model).run();
}

Result<network::Network> import_model(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const Source source, open_source(path));
  return import_model(source);
}

std::vector<std::pair<std::string_view, std::string_view>> known_operators() {
  std::vector<std::pair<std::string_view, std::string_view>> operators = {{"", "Constant"}, {"", "If"}};
  for (const OpRow* row : all_rows()) operators.emplace_back(row->domain, row->name);
  std::ranges::sort(operators);
  return operators;
}

}  // namespace halftone::onnx
