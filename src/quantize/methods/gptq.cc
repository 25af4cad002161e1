// SPDX-License-Identifier: Apache-2.0
// GPTQ: Frantar, Ashkboos, Hoefler, Alistarh 2022, arXiv:2210.17323, in the form of LDLQ (Chee et al. 2023,
// arXiv:2307.13304), which gives the same codes from one factorisation. Columns go by activation size, grids are fixed
// before, so any layout works.
#include "quantize/methods/gptq.h"

#include <algorithm>

#include "quantize/methods/drift.h"
#include "quantize/methods/grid.h"
#include "quantize/methods/methods.h"
#include "quantize/methods/palette_grid.h"
#include "quantize/methods/refine.h"

namespace halftone {
namespace {

constexpr int kSweeps = 2;  // the first gains a tenth, the second a fiftieth, all others together a hundredth

// The rows of one panel on their way.
struct Feedback {
  const HessianFactor& shared;
  const Grid& grid;
  int64_t columns;
  const Lanes* values;                                                                            // by column
  Lanes* codes;                                                                                   // by column
  AlignedBuffer<float> errors = AlignedBuffer<float>(static_cast<size_t>(kPanelRows * columns));  // [16][position]
  AlignedBuffer<std::byte> scratch = AlignedBuffer<std::byte>(static_cast<size_t>(product_scratch_bytes(columns)));

  void run_block(int64_t block);
};

void Feedback::run_block(int64_t block) {
  constexpr int64_t kBlock = HessianFactor::kBlock;
  const int64_t first = block * kBlock, count = std::min(kBlock, columns - first);
  alignas(64) float moved[kPanelRows * kBlock] = {};
  if (first > 0)
    multiply(shared.products.by_panels, {shared.left_of(block), count, first}, errors.data(), columns, kPanelRows,
             moved, kBlock, scratch.data());
  Lanes inside[kBlock];
  const float* const factor = shared.inside_of(block);
  for (int64_t j = 0; j < count; ++j) {
    const int64_t column = shared.order[static_cast<size_t>(first + j)];
    Lanes wanted, decoded;
    for (int lane = 0; lane < kPanelRows; ++lane) wanted.at[lane] = moved[lane * kBlock + j];
    for (int64_t i = 0; i < j; ++i) {
      const float share = factor[j * kBlock + i];
      for (int lane = 0; lane < kPanelRows; ++lane) wanted.at[lane] += inside[i].at[lane] * share;
    }
    const Lanes& value = values[column];
    for (int lane = 0; lane < kPanelRows; ++lane) wanted.at[lane] += value.at[lane];
    grid.quantize(column, wanted, decoded, codes[column]);
    for (int lane = 0; lane < kPanelRows; ++lane) {
      inside[j].at[lane] = value.at[lane] - decoded.at[lane];
      errors.data()[lane * columns + first + j] = inside[j].at[lane];
    }
  }
}

std::unique_ptr<Grid> grid_for(const Layout& layout, const MethodInput& input, const HessianFactor& shared) {
  if (!layout.is_palette()) return make_grid(layout, input.columns);
  return std::make_unique<PaletteGrid>(layout, input, static_cast<const SharedPalettes*>(shared.palettes.get()));
}

}  // namespace

void choose_with_feedback(const Layout& layout, const MethodInput& input, int sweeps, const MethodOutput& output) {
  const auto& shared = static_cast<const HessianFactor&>(*input.preparation);
  AlignedBuffer<Lanes> values = lanes_of(input);
  if (!shared.drift.empty()) follow_drift(shared, input.columns, values.data());
  const std::unique_ptr<Grid> grid = grid_for(layout, input, shared);
  std::vector<float> weights(static_cast<size_t>(input.columns));
  for (size_t j = 0; j < weights.size(); ++j)
    weights[static_cast<size_t>(shared.order[j])] = weight_of_pivot(layout, shared.pivots[j]);
  grid->fit(values.data(), weights.data());
  AlignedBuffer<Lanes> codes(static_cast<size_t>(input.columns));
  Feedback feedback{shared, *grid, input.columns, values.data(), codes.data()};
  for (int64_t block = 0; block * HessianFactor::kBlock < input.columns; ++block) feedback.run_block(block);
  if (sweeps > 0) refine(shared, values.data(), input.columns, sweeps, *grid, codes.data());
  grid->write(codes.data(), input.rows, output);
}

void choose_gptq(const Layout& layout, const MethodInput& input, const MethodOutput& output) {
  choose_with_feedback(layout, input, kSweeps, output);
}

}  // namespace halftone
