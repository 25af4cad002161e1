// SPDX-License-Identifier: Apache-2.0
// Xiao et al., "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models",
// arXiv:2211.10438: s = max|x|^a / max|w|^(1 - a) with a = 1/2 moves half of the inputs' outliers into the weights, for
// recipes whose activations are quantized, too.
#include <cmath>

#include "quantize/transform/group_walk.h"
#include "quantize/transform/transforms.h"

namespace halftone {
namespace {

std::vector<float> largest_inputs(const ScaleGroup& group, const ChannelStatistics& statistics) {
  std::vector<float> magnitudes, largest(static_cast<size_t>(group.channels));
  for (size_t k = 0; k < statistics.minimum().size(); ++k)
    magnitudes.push_back(std::fmax(std::fabs(statistics.minimum()[k]), std::fabs(statistics.maximum()[k])));
  take_largest(group.consumers[0].channels, magnitudes, largest);
  return largest;
}

}  // namespace

Result<TransformPlan> plan_smooth(const TransformInput& input) {
  ScaleGroups found = scale_groups(input.graph);
  std::erase_if(found.groups, [](const ScaleGroup& group) { return group.kind == GroupKind::query_key; });
  TransformPlan plan;
  plan.report.left_out = std::move(found.left_out);
  input.progress.begin("smooth", static_cast<int64_t>(found.groups.size()), "groups");
  const Status status = walk_groups(input, found.groups, [&](const ScaleGroup& group, Evaluator& evaluator) -> Status {
    HALFTONE_ASSIGN(const ChannelStatistics statistics, statistics_of(group, evaluator));
    const std::vector<float> inputs = largest_inputs(group, statistics);
    std::vector<float> weights(inputs.size());
    for (const ScaledPart& part : group.consumers) take_largest(part, input.graph, input.model.file, {}, weights);
    add_scaling(group, balance(inputs, weights), plan.rewrites);
    plan.report.groups.push_back({group.name, std::string(name_of(group.kind))});
    return {};
  });
  input.progress.end();
  HALFTONE_TRY(status);
  return plan;
}

}  // namespace halftone
