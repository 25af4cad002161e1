// SPDX-License-Identifier: Apache-2.0
#include "quantize/assign.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/error.h"

namespace halftone {
namespace {

// Tells which weights an op reads, and as what. Rope reads a constant, which is no tensor of the file.
struct WeightUses {
  std::vector<std::pair<WeightId, std::string_view>> uses;
  void operator()(const Embedding& op) { uses.emplace_back(op.table, "embedding"); }
  void operator()(const RmsNorm& op) { uses.emplace_back(op.weight, "norm"); }
  void operator()(const LayerNorm& op) {
    uses.emplace_back(op.weight, "norm");
    uses.emplace_back(op.bias, "bias");
  }
  void operator()(const Linear& op) {
    uses.emplace_back(op.weight, "linear");
    if (op.bias != kNoWeight) uses.emplace_back(op.bias, "bias");
  }
  void operator()(const Rope&) {}
  void operator()(const Attention&) {}
  void operator()(const SwiGlu&) {}
  void operator()(const GeGlu&) {}
  void operator()(const Gelu&) {}
  void operator()(const SoftCap&) {}
  void operator()(const Columns&) {}
  void operator()(const Add&) {}
};

struct Use {
  Assignment assignment;
  std::set<std::string_view> ops;
  const Rule* rule = nullptr;
  bool vector = false;
  bool allowed = false;  // under allow_float
};

Status check_source(const ModelFile& source, const StoredTensor* tensor, const WeightRef& ref) {
  if (tensor == nullptr)
    return not_found("[quantize] {}: expected tensor '{}', got none", source.path.string(), ref.name);
  const bool vector = tensor->shape.size() == 1;
  const int64_t rows = vector ? 1 : tensor->shape.empty() ? 0 : tensor->shape[0];
  if (tensor->shape.empty() || tensor->shape.size() > 2 || rows != ref.rows || tensor->shape.back() != ref.columns)
    return invalid_input("[quantize] {}: tensor '{}': expected shape ({}, {}), got ({})", tensor->file.string(),
                         ref.name, ref.rows, ref.columns, fmt::join(tensor->shape, ", "));
  if (tensor->layout == nullptr)
    return unsupported("[quantize] {}: tensor '{}': expected f32, f16 or bf16 weights, got {}", tensor->file.string(),
                       ref.name, name_of(tensor->element_type));
  if (!tensor->layout->is_float())
    return invalid_input(
        "[quantize] {}: tensor '{}': expected float weights, got {}; quantizing twice adds a second loss, give the "
        "float model it was made from",
        source.path.string(), ref.name, tensor->layout->name);
  return {};
}

Result<std::vector<TensorUse>> collect_uses(const ModelFile& source, const Graph& graph) {
  std::vector<TensorUse> uses;
  std::map<WeightId, size_t> index;
  WeightUses reader;
  for (const Node& node : graph.nodes) std::visit(reader, node.op);
  for (const auto& [id, op] : reader.uses) {
    const WeightRef& ref = graph.weight(id);
    if (!ref.constant.empty()) continue;
    const auto [at, fresh] = index.emplace(id, uses.size());
    if (fresh) {
      const StoredTensor* tensor = source.find(ref.name);
      HALFTONE_TRY(check_source(source, tensor, ref));
      uses.push_back({tensor, {}});
    }
    uses[at->second].ops.insert(op);
  }
  return uses;
}

bool rule_hits(const Rule& rule, const Use& use) {
  return (rule.op.empty() || use.ops.contains(rule.op)) && glob_matches(rule.match, use.assignment.source->name);
}

// Finds the first rule of each tensor. A tensor that no rule hits is kept.
void apply_rules(const Recipe& recipe, std::vector<Use>& uses) {
  for (Use& use : uses) {
    const auto rule =
        std::find_if(recipe.rules.begin(), recipe.rules.end(), [&](const Rule& one) { return rule_hits(one, use); });
    if (rule != recipe.rules.end()) use.rule = &*rule;
    use.allowed = std::any_of(recipe.allow_float.begin(), recipe.allow_float.end(),
                              [&](const std::string& glob) { return glob_matches(glob, use.assignment.source->name); });
  }
}

// A guard against typos: what is written in a recipe must do something.
Status check_all_used(const Recipe& recipe, const std::vector<Use>& uses) {
  for (const Rule& rule : recipe.rules) {
    if (std::any_of(uses.begin(), uses.end(), [&](const Use& use) { return use.rule == &rule; })) continue;
    const bool hidden = std::any_of(uses.begin(), uses.end(), [&](const Use& use) { return rule_hits(rule, use); });
    return invalid_input(
        "[recipe] {}: {}: expected to hit at least one tensor, got none{}", recipe.name, rule.text,
        hidden ? "; earlier rules take them all, move it up"
               : fmt::format("; names look like '{}'", uses.empty() ? "" : uses[0].assignment.source->name));
  }
  for (const std::string& glob : recipe.allow_float)
    if (std::none_of(uses.begin(), uses.end(),
                     [&](const Use& use) { return glob_matches(glob, use.assignment.source->name); }))
      return invalid_input("[recipe] {}: allow_float '{}': expected to hit at least one tensor, got none", recipe.name,
                           glob);
  return {};
}

// A rule for everything passes over vectors; a rule whose tensors are all vectors asks for what cannot be.
Status check_vectors(const Recipe& recipe, const std::vector<Use>& uses) {
  for (const Rule& rule : recipe.rules) {
    if (rule.layout == nullptr) continue;
    const Use* refused = nullptr;
    bool matrices = false;
    for (const Use& use : uses) {
      if (use.rule != &rule) continue;
      matrices = matrices || !use.vector;
      if (use.vector && !use.allowed && refused == nullptr) refused = &use;
    }
    if (refused != nullptr && !matrices)
      return unsupported(
          "[recipe] {}: {}: expected matrices, got only vectors such as '{}', which stay as they are; use layout: "
          "keep, or name them under allow_float",
          recipe.name, rule.text, refused->assignment.source->name);
  }
  return {};
}

// An embedding that nothing multiplies with has no inputs to learn from: it gets the method without data, and says so.
void choose_method(const Rule& rule, Assignment& assignment) {
  assignment.method = find_method(rule.method);
  if (assignment.method->uses == Data::none || assignment.op != "embedding") return;
  assignment.method = find_method(assignment.layout->is_palette() ? "kmeans" : "search");
  assignment.rule += fmt::format("; a table that is only looked up has no inputs, {}", assignment.method->name);
}

// A matrix that the graph also looks up is packed long before its bias is reached: it corrects none.
Status find_biases(const Graph& graph, const Recipe& recipe, std::vector<Assignment>& assignments) {
  const auto named = [&](const std::string& name) {
    return std::find_if(assignments.begin(), assignments.end(),
                        [&](const Assignment& one) { return one.source->name == name; });
  };
  bool any = false;
  for (const Node& node : graph.nodes) {
    const auto* linear = std::get_if<Linear>(&node.op);
    if (linear == nullptr || linear->bias == kNoWeight) continue;
    const std::string& name = graph.weight(linear->weight).name;
    const auto matrix = named(name), bias = named(graph.weight(linear->bias).name);
    if (bias == assignments.end() || matrix->method == nullptr || matrix->op != "linear") continue;
    bias->corrects = name;
    bias->rule += "; takes the mean error of " + name;
    any = true;
  }
  if (any || !recipe.needs_biases) return {};
  return unsupported(
      "[quantize] recipe {}: bias_correction: expected matrices that get codes and have a bias, got none; remove it",
      recipe.name);
}

}  // namespace

Result<std::vector<Assignment>> assign_layouts(const ModelFile& source, const Graph& graph, const Recipe& recipe) {
  HALFTONE_ASSIGN(const std::vector<TensorUse> tensors, collect_uses(source, graph));
  HALFTONE_ASSIGN(std::vector<Assignment> assignments, assign_rules(tensors, recipe));
  if (recipe.bias_correction) HALFTONE_TRY(find_biases(graph, recipe, assignments));
  return assignments;
}

Result<std::vector<Assignment>> assign_rules(const std::vector<TensorUse>& tensors, const Recipe& recipe) {
  std::vector<Use> uses;
  for (const TensorUse& tensor : tensors) {
    Use& use = uses.emplace_back();
    use.assignment.source = tensor.source;
    use.ops = tensor.ops;
    use.vector = tensor.source->shape.size() == 1;
  }
  apply_rules(recipe, uses);
  HALFTONE_TRY(check_all_used(recipe, uses));
  HALFTONE_TRY(check_vectors(recipe, uses));
  std::vector<Assignment> assignments;
  for (Use& use : uses) {
    Assignment& assignment = use.assignment;
    assignment.op = fmt::format("{}", fmt::join(use.ops, "+"));
    if (use.rule == nullptr) {
      assignment.rule = "no rule, kept";
    } else if (use.vector && use.rule->layout != nullptr) {
      assignment.rule = use.allowed ? use.rule->text + "; allow_float, kept" : "vector, kept";
    } else {
      assignment.rule = use.rule->text;
      assignment.layout = use.rule->layout;
      if (assignment.layout != nullptr && !assignment.layout->is_float()) choose_method(*use.rule, assignment);
    }
    assignments.push_back(std::move(assignment));
  }
  return assignments;
}

ArtifactTensor stored_as(const Assignment& assignment, bool tuned) {
  const StoredTensor& source = *assignment.source;
  const bool moved = tuned || !assignment.corrects.empty();
  if (assignment.layout == nullptr && moved && source.shape.size() == 1)
    return {source.name, source.shape, &layout_of(LayoutId::f32), Order::rows};
  if (assignment.layout == nullptr) return {source.name, source.shape, source.layout, source.order};
  return {source.name, source.shape, assignment.layout, Order::panel16};
}

}  // namespace halftone
