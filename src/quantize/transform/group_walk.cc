// SPDX-License-Identifier: Apache-2.0
#include "quantize/transform/group_walk.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "tensor/layout.h"

namespace halftone {

Status walk_groups(const TransformInput& input, std::span<const ScaleGroup> groups,
                   const std::function<Status(const ScaleGroup& group, Evaluator& evaluator)>& visit) {
  HALFTONE_ASSIGN(const WeightTable weights, WeightTable::create(input.graph, input.model.file));
  HALFTONE_ASSIGN(const auto evaluator, Evaluator::create(input.graph, weights, *input.calibration, input.pool));
  std::map<size_t, const ScaleGroup*> stops;  // by first reader
  for (const ScaleGroup& group : groups) {
    const auto reads = [&](const Node& node) {
      return std::find(node.inputs.begin(), node.inputs.end(), group.value) != node.inputs.end();
    };
    const auto reader = std::find_if(input.graph.nodes.begin(), input.graph.nodes.end(), reads);
    stops[static_cast<size_t>(reader - input.graph.nodes.begin())] = &group;
  }
  size_t next = 0;
  for (const auto& [node, group] : stops) {
    HALFTONE_TRY(evaluator->run(next, node));
    next = node;
    HALFTONE_TRY(visit(*group, *evaluator));
    input.progress.advance(1);
  }
  return {};
}

Result<ChannelStatistics> statistics_of(const ScaleGroup& group, const Evaluator& evaluator) {
  ChannelStatistics statistics(evaluator.width(group.value));
  statistics.add(evaluator.value(group.value));
  HALFTONE_TRY(statistics.check_finite(fmt::format("what follows '{}'", group.name)));
  return statistics;
}

void take_largest(const std::vector<int32_t>& channels, std::span<const float> numbers, std::vector<float>& largest) {
  for (size_t i = 0; i < channels.size(); ++i) {
    float& of = largest[static_cast<size_t>(channels[i])];
    of = std::max(of, numbers[i]);
  }
}

void take_largest(const ScaledPart& part, const Graph& graph, const ModelFile& file, const ChannelFactors& factors,
                  std::vector<float>& largest) {
  const WeightRef& ref = graph.weight(part.weight);
  const WeightView view = file.find(ref.name)->view();
  std::vector<float> row(static_cast<size_t>(view.columns)), found(part.channels.size());
  const int64_t begin = part.rows ? part.first : 0;
  const int64_t end = part.rows ? begin + static_cast<int64_t>(part.channels.size()) : view.rows;
  for (int64_t r = begin; r < end; ++r) {
    decode_row(view, r, row.data());
    for (size_t k = 0; k < row.size(); ++k) {
      row[k] = std::fabs(row[k] + ref.offset);
      if (!factors.columns.empty()) row[k] *= factors.columns[k] * factors.rows[static_cast<size_t>(r)];
    }
    if (part.rows)
      found[static_cast<size_t>(r - begin)] = *std::max_element(row.begin(), row.end());
    else
      for (size_t k = 0; k < found.size(); ++k) found[k] = std::max(found[k], row[static_cast<size_t>(part.first) + k]);
  }
  take_largest(part.channels, found, largest);
}

Eighths balance(std::span<const float> a, std::span<const float> b) {
  Eighths eighths;
  for (size_t i = 0; i < a.size(); ++i) {
    const bool both = a[i] > 0 && b[i] > 0;
    const double log2 = both ? (log2_of(static_cast<double>(a[i])) - log2_of(static_cast<double>(b[i]))) / 2 : 0;
    eighths.push_back(static_cast<int16_t>(eighths_of(log2)));
  }
  return eighths;
}

}  // namespace halftone
