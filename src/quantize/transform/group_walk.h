// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "quantize/calibration/statistics.h"
#include "quantize/evaluate/evaluator.h"
#include "quantize/transform/scale_groups.h"
#include "quantize/transform/transform.h"

namespace halftone {

// Computes the model over the calibration, and stops where the value of a group is there: before its first reader runs.
// Logits are not computed. REQUIRES: input.calibration, groups with a value
Status walk_groups(const TransformInput& input, std::span<const ScaleGroup> groups,
                   const std::function<Status(const ScaleGroup& group, Evaluator& evaluator)>& visit);

// Range and moments of the group's value. An error: NaN or infinity.
Result<ChannelStatistics> statistics_of(const ScaleGroup& group, const Evaluator& evaluator);

// Per channel the largest of numbers that are given per row or column of a part.
void take_largest(const std::vector<int32_t>& channels, std::span<const float> numbers, std::vector<float>& largest);
// By what the rows and columns of a matrix are multiplied; empty: by nothing.
struct ChannelFactors {
  std::vector<float> rows, columns;
};
// Per channel the largest magnitude in the rows or columns of a part.
void take_largest(const ScaledPart& part, const Graph& graph, const ModelFile& file, const ChannelFactors& factors,
                  std::vector<float>& largest);

// sqrt(a / b) per channel; 1 where either is 0.
Eighths balance(std::span<const float> a, std::span<const float> b);

}  // namespace halftone
