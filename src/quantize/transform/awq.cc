// SPDX-License-Identifier: Apache-2.0
// Lin et al., "AWQ: Activation-aware Weight Quantization for LLM Compression and Acceleration", arXiv:2306.00978: a
// column is multiplied by (mean |x_i|)^alpha before it is quantized, and what produces x_i divided by it. alpha is
// searched per group; 0 is among those tried, so no group gets worse by this measure.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "quantize/transform/consumer_error.h"
#include "quantize/transform/group_walk.h"
#include "quantize/transform/transforms.h"

namespace halftone {
namespace {

constexpr int kAlphaSteps = 20;
constexpr double kLeastMagnitude = 1.0 / 1024;  // of the largest: a channel that calibration did not see may be used

// log2 of the mean magnitude of each channel, around a mean of 0; empty where all are 0.
std::vector<double> log_magnitudes(std::span<const float> x, const ScaleGroup& group) {
  const std::vector<int32_t>& channels = group.consumers[0].channels;
  std::vector<double> sums(channels.size()), magnitudes(static_cast<size_t>(group.channels));
  for (size_t at = 0; at < x.size(); at += sums.size())
    for (size_t k = 0; k < sums.size(); ++k) sums[k] += static_cast<double>(std::fabs(x[at + k]));
  for (size_t k = 0; k < sums.size(); ++k) magnitudes[static_cast<size_t>(channels[k])] += sums[k];
  const double largest = *std::max_element(magnitudes.begin(), magnitudes.end());
  if (!(largest > 0)) return {};
  double mean = 0;
  for (double& one : magnitudes) {
    one = log2_of(std::max(one / largest, kLeastMagnitude));
    mean += one / static_cast<double>(magnitudes.size());
  }
  for (double& one : magnitudes) one -= mean;
  return magnitudes;
}

Result<GroupInputs> inputs_of(const ScaleGroup& group, Evaluator& evaluator) {
  HALFTONE_ASSIGN(const ChannelStatistics statistics, statistics_of(group, evaluator));
  HessianSum sum(statistics.columns());
  sum.add(evaluator.value(group.value).data(), evaluator.tokens(), evaluator.products());
  return GroupInputs{evaluator.tokens(), statistics.second_moment(), sum.take_mean()};
}

// Searches one group, and adds what it found to the plan.
Status search_alpha(const TransformInput& input, bool weighted, const ScaleGroup& group, Evaluator& evaluator,
                    TransformPlan& plan) {
  HALFTONE_ASSIGN(const GroupInputs inputs, inputs_of(group, evaluator));
  ConsumerError error(group, input.graph, input.assignments, inputs, weighted, evaluator.products());
  if (error.empty()) {
    plan.report.left_out.push_back(fmt::format("{}: no matrix that reads it gets codes", group.name));
    return {};
  }
  const std::vector<double> magnitudes = log_magnitudes(evaluator.value(group.value), group);
  GroupReport report{group.name, std::string(name_of(group.kind))};
  Eighths best(static_cast<size_t>(group.channels));
  HALFTONE_ASSIGN(report.error_before, error.of(best));
  report.error_after = report.error_before;
  for (int step = 1; step <= kAlphaSteps && !magnitudes.empty(); ++step) {
    const double alpha = static_cast<double>(step) / kAlphaSteps;
    Eighths tried;
    for (const double magnitude : magnitudes) tried.push_back(static_cast<int16_t>(eighths_of(alpha * magnitude)));
    HALFTONE_ASSIGN(const double found, error.of(tried));
    if (!(found < report.error_after)) continue;
    report.error_after = found;
    report.alpha = alpha;
    best = std::move(tried);
  }
  if (report.alpha == 0) {
    ++plan.report.unchanged;
    return {};
  }
  add_scaling(group, best, plan.rewrites);
  plan.report.groups.push_back(std::move(report));
  return {};
}

}  // namespace

Result<TransformPlan> plan_awq(const TransformInput& input) {
  ScaleGroups found = scale_groups(input.graph);
  std::erase_if(found.groups, [](const ScaleGroup& group) { return group.kind == GroupKind::query_key; });
  const bool weighted = std::any_of(input.assignments.begin(), input.assignments.end(), [](const Assignment& one) {
    return one.method != nullptr && one.method->uses != Data::none;
  });
  TransformPlan plan;
  plan.report.left_out = std::move(found.left_out);
  input.progress.begin("awq", static_cast<int64_t>(found.groups.size()), "groups");
  const Status status = walk_groups(input, found.groups, [&](const ScaleGroup& group, Evaluator& evaluator) {
    return search_alpha(input, weighted, group, evaluator, plan);
  });
  input.progress.end();
  HALFTONE_TRY(status);
  return plan;
}

}  // namespace halftone
