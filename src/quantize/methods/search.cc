// SPDX-License-Identifier: Apache-2.0
// Scales and bases of least squared error, weighted by the inputs' second moments where calibration saw them: no paper,
// the importance-weighted searches of the field's quantizers for every layout (uniform_grid.cc).
#include <algorithm>

#include "quantize/methods/grid.h"
#include "quantize/methods/methods.h"

namespace halftone {
namespace {

constexpr float kLeastImportance = 0.01f;  // of the mean: a channel that calibration did not see may still be used

// What an error in each column costs; all ones without calibration.
std::vector<float> importance_of(const MethodInput& input) {
  std::vector<float> weights(static_cast<size_t>(input.columns), 1.0f);
  const std::span<const float> moments = input.statistics.second_moment;
  if (moments.empty()) return weights;
  double mean = 0;
  for (const float moment : moments) mean += static_cast<double>(moment);
  mean /= static_cast<double>(moments.size());
  if (!(mean > 0)) return weights;
  for (size_t k = 0; k < weights.size(); ++k)
    weights[k] = static_cast<float>(static_cast<double>(moments[k]) / mean) + kLeastImportance;
  return weights;
}

}  // namespace

void choose_search(const Layout& layout, const MethodInput& input, const MethodOutput& output) {
  const AlignedBuffer<Lanes> values = lanes_of(input);
  const std::unique_ptr<Grid> grid = make_grid(layout, input.columns);
  grid->fit(values.data(), importance_of(input).data());
  AlignedBuffer<Lanes> codes(static_cast<size_t>(input.columns));
  Lanes decoded;
  for (int64_t k = 0; k < input.columns; ++k) grid->quantize(k, values.data()[k], decoded, codes.data()[k]);
  grid->write(codes.data(), input.rows, output);
}

}  // namespace halftone
