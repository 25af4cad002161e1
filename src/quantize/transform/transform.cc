// SPDX-License-Identifier: Apache-2.0
#include "quantize/transform/transform.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "quantize/transform/transforms.h"

namespace halftone {

std::span<const Transform> all_transforms() {
  static constexpr std::array kTransforms = {
      Transform{"awq", true, plan_awq},
      Transform{"smooth", true, plan_smooth},
      Transform{"equalize", false, plan_equalize},
      Transform{"rotate", false, plan_rotate},
  };
  return kTransforms;
}

const Transform* find_transform(std::string_view name) {
  for (const Transform& one : all_transforms())
    if (one.name == name) return &one;
  return nullptr;
}

nlohmann::ordered_json TransformReport::to_json() const {
  nlohmann::ordered_json json = {
      {"name", name}, {"unchanged", unchanged}, {"left_out", left_out}, {"groups", nlohmann::ordered_json::array()}};
  for (const GroupReport& group : groups)
    json["groups"].push_back({{"name", group.name},
                              {"kind", group.kind},
                              {"alpha", group.alpha},
                              {"error_before", group.error_before},
                              {"error_after", group.error_after}});
  return json;
}

Result<TransformedModel> transform_model(const ModelFile& source, const Graph& graph, const Recipe& recipe,
                                         const std::filesystem::path& target, const Sequences* calibration,
                                         ThreadPool& pool, Progress& progress) {
  TransformedModel result{{source}, {}};
  for (const std::string& name : recipe.transforms) {
    const Transform& transform = *find_transform(name);
    if (transform.uses_data && calibration == nullptr)
      return invalid_input(
          "[quantize] recipe {}: transform {}: channels are scaled by what the model computes on real text; expected "
          "--calibration FILE, got none",
          recipe.name, name);
    HALFTONE_ASSIGN(const auto assignments, assign_layouts(result.model.file, graph, recipe));
    HALFTONE_ASSIGN(TransformPlan plan,
                    transform.plan({result.model, graph, assignments, calibration, pool, progress}));
    plan.report.name = name;
    if (plan.report.groups.empty() && plan.report.unchanged == 0)
      return unsupported(
          "[quantize] recipe {}: transform {}: expected a group of tensors that it can change, got none{}{}",
          recipe.name, name, plan.report.left_out.empty() ? "" : ": ", fmt::join(plan.report.left_out, "; "));
    HALFTONE_ASSIGN(result.model, rewrite_model(result.model, graph, plan.rewrites, target, pool, progress));
    result.reports.push_back(std::move(plan.report));
  }
  return result;
}

}  // namespace halftone
