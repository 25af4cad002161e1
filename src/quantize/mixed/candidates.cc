// SPDX-License-Identifier: Apache-2.0
#include "quantize/mixed/candidates.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "base/error.h"
#include "formats/check.h"
#include "quantize/encode.h"

namespace halftone {
namespace {

// What no rule takes gets this layout.
Recipe with_layout(const Recipe& recipe, const Layout& layout, std::string_view method) {
  const Method* found = find_method(method);
  HALFTONE_CHECK(found != nullptr);
  Rule rule;
  rule.layout = &layout;
  rule.method = layout.is_float() ? "" : found->can_fill(layout) ? method : layout.is_palette() ? "kmeans" : "nearest";
  rule.text = "mixed: what no rule takes";
  Recipe result;
  result.name = recipe.name;
  result.rules = recipe.rules;
  result.rules.push_back(std::move(rule));
  result.allow_float = recipe.allow_float;
  return result;
}

bool is_vector(const Assignment& one) { return one.source->shape.size() == 1; }

bool same(const Assignment& a, const Assignment& b) { return a.layout == b.layout && a.method == b.method; }

std::map<std::string_view, WeightId> matrix_ids(const Graph& graph) {
  std::map<std::string_view, WeightId> ids;
  for (size_t i = 0; i < graph.weights.size(); ++i)
    if (graph.weights[i].constant.empty()) ids.emplace(graph.weights[i].name, static_cast<WeightId>(i));
  return ids;
}

}  // namespace

Result<std::vector<CandidateTensor>> list_candidates(const Graph& graph, const ModelFile& source, const Recipe& recipe,
                                                     std::span<const Layout* const> layouts, std::string_view method) {
  const auto ids = matrix_ids(graph);
  std::vector<CandidateTensor> tensors;
  for (const Layout* layout : layouts) {
    HALFTONE_ASSIGN(std::vector<Assignment> assignments,
                    assign_layouts(source, graph, with_layout(recipe, *layout, method)));
    std::erase_if(assignments, is_vector);
    tensors.resize(assignments.size());
    for (size_t i = 0; i < assignments.size(); ++i) {
      tensors[i].id = ids.at(assignments[i].source->name);
      std::vector<Candidate>& candidates = tensors[i].candidates;
      // A rule gives the same every time.
      if (candidates.empty() || !same(candidates.back().assignment, assignments[i]))
        candidates.push_back({std::move(assignments[i]), {}, 0});
    }
  }
  return tensors;
}

// Of the most that one of its methods asks for.
Result<InputStatistics> CandidatePacker::statistics(const CandidateTensor& tensor) {
  Data wanted = Data::none;
  for (const Candidate& one : tensor.candidates)
    if (one.assignment.method != nullptr) wanted = std::max(wanted, one.assignment.method->uses);
  if (wanted == Data::none) return InputStatistics();
  if (observer_ == nullptr) {
    HALFTONE_ASSIGN(observer_, GraphObserver::create(graph_, source_, texts_, pool_));
  }
  return observer_->observe(tensor.name(), wanted);
}

Status CandidatePacker::pack(CandidateTensor& tensor) {
  HALFTONE_TRY(check_finite(*tensor.candidates[0].assignment.source, pool_));
  HALFTONE_ASSIGN(const InputStatistics seen, statistics(tensor));
  for (Candidate& one : tensor.candidates) HALFTONE_TRY(pack(one, seen));
  return {};
}

Status CandidatePacker::pack(Candidate& candidate, const InputStatistics& statistics) {
  const Assignment& assignment = candidate.assignment;
  if (assignment.layout == nullptr) return {};  // kept
  const Layout& layout = *assignment.layout;
  const StoredTensor& source = *assignment.source;
  const WeightView view = source.view();
  Guidance guidance;
  std::unique_ptr<Preparation> preparation;
  if (assignment.method != nullptr && assignment.method->uses != Data::none) guidance.statistics = statistics;
  if (assignment.method != nullptr && assignment.method->prepare != nullptr) {
    const MatrixReader reader{view.rows, view.columns, [view](int64_t row, float* out) { decode_row(view, row, out); },
                              fmt::format("{}: tensor '{}'", source.file.string(), source.name)};
    HALFTONE_ASSIGN(preparation, assignment.method->prepare(layout, reader, guidance.statistics, pool_));
    guidance.preparation = preparation.get();
  }
  candidate.panels =
      AlignedBuffer<std::byte>(static_cast<size_t>(layout.bytes(view.rows, view.columns, Order::panel16)));
  const auto bytes = static_cast<size_t>(layout.panel_bytes(view.columns));
  const auto head = static_cast<size_t>(layout.head_bytes());
  std::vector<PanelResult> results((candidate.panels.size() - head) / bytes);
  std::vector<PanelEncoder> encoders(static_cast<size_t>(pool_.threads()));
  pool_.parallel_for(static_cast<int64_t>(results.size()), 1, [&](int64_t begin, int64_t end, int thread) {
    PanelEncoder& encoder = encoders[static_cast<size_t>(thread)];
    for (auto panel = static_cast<size_t>(begin); panel < static_cast<size_t>(end); ++panel) {
      results[panel] = encoder.encode(assignment, {&guidance, 1}, static_cast<int64_t>(panel),
                                      {candidate.panels.data() + head + panel * bytes, bytes});
      if (panel == 0 && head > 0) std::memcpy(candidate.panels.data(), encoder.head(layout).data(), head);
    }
  });
  for (const PanelResult& result : results) HALFTONE_TRY(describe(result, assignment));
  return {};
}

}  // namespace halftone
