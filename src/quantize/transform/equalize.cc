// SPDX-License-Identifier: Apache-2.0
// Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", arXiv:1906.04721: producer
// and consumer of a channel get the same range, s = sqrt(range of its row / range of its column). Groups share
// matrices, so the model is swept until nothing changes. No data.
#include <algorithm>
#include <map>

#include "quantize/transform/group_walk.h"
#include "quantize/transform/transforms.h"

namespace halftone {
namespace {

constexpr int kMostSweeps = 16;

class Equalizer {
 public:
  explicit Equalizer(const TransformInput& input) : input_(input) {}

  // Factors that make the group's ranges meet, in the model with all factors so far; adds them to those.
  Eighths meet(const ScaleGroup& group) {
    const Eighths eighths =
        balance(ranges_of(group.producers, group.channels), ranges_of(group.consumers, group.channels));
    for (const ScaledPart& part : group.producers) multiply(part, eighths, -1);
    for (const ScaledPart& part : group.consumers) multiply(part, eighths, +1);
    return eighths;
  }

 private:
  // Of matrices, or of the gain where a norm produces. Biases follow.
  std::vector<float> ranges_of(const std::vector<ScaledPart>& parts, int64_t channels) {
    std::vector<float> ranges(static_cast<size_t>(channels));
    for (const ScaledPart& part : parts)
      if (&part == &parts.front() || input_.graph.weight(part.weight).rows > 1)
        take_largest(part, input_.graph, input_.model.file, factors_of(part.weight), ranges);
    return ranges;
  }

  ChannelFactors& factors_of(WeightId id) {
    ChannelFactors& factors = factors_[id];
    factors.rows.resize(static_cast<size_t>(input_.graph.weight(id).rows), 1.0f);
    factors.columns.resize(static_cast<size_t>(input_.graph.weight(id).columns), 1.0f);
    return factors;
  }

  void multiply(const ScaledPart& part, const Eighths& eighths, int sign) {
    ChannelFactors& factors = factors_of(part.weight);
    float* at = (part.rows ? factors.rows : factors.columns).data() + part.first;
    for (size_t i = 0; i < part.channels.size(); ++i)
      at[i] *= factor_of(sign * eighths[static_cast<size_t>(part.channels[i])]);
  }

  const TransformInput& input_;
  std::map<WeightId, ChannelFactors> factors_;
};

}  // namespace

Result<TransformPlan> plan_equalize(const TransformInput& input) {
  ScaleGroups found = scale_groups(input.graph);
  TransformPlan plan;
  plan.report.left_out = std::move(found.left_out);
  Equalizer equalizer(input);
  std::vector<Eighths> totals;
  for (const ScaleGroup& group : found.groups) totals.emplace_back(static_cast<size_t>(group.channels));
  bool changed = true;
  for (int sweep = 0; sweep < kMostSweeps && changed; ++sweep) {
    changed = false;
    for (size_t g = 0; g < found.groups.size(); ++g) {
      const Eighths step = equalizer.meet(found.groups[g]);
      for (size_t i = 0; i < step.size(); ++i) {
        totals[g][i] = static_cast<int16_t>(std::clamp(totals[g][i] + step[i], -kMostEighths, kMostEighths));
        changed = changed || step[i] != 0;
      }
    }
  }
  for (size_t g = 0; g < found.groups.size(); ++g) {
    add_scaling(found.groups[g], totals[g], plan.rewrites);
    plan.report.groups.push_back({found.groups[g].name, std::string(name_of(found.groups[g].kind))});
  }
  return plan;
}

}  // namespace halftone
