// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "quantize/methods/gptq.h"
#include "quantize/methods/grid.h"
#include "quantize/methods/palettes.h"
#include "quantize/methods/vector_palettes.h"

namespace halftone {

// value = entry[code] (times the scale of its row). Lanes that share a palette hold copies of it, so that every lane is
// quantized alike.
class PaletteGrid final : public Grid {
 public:
  // palettes: those of more rows than a panel has; null where the layout has none.
  PaletteGrid(const Layout& layout, const MethodInput& input, const SharedPalettes* palettes);

  void fit(const Lanes* values, const float* weights) override;
  void quantize(int64_t column, const Lanes& values, Lanes& decoded, Lanes& codes) const override;
  void decode(int64_t column, const Lanes& codes, Lanes& decoded) const override;
  bool refit(int64_t, const LineMoments&) override { return false; }
  int64_t group_width() const override { return columns_; }
  PaletteGrid* palettes() override { return this; }
  void write(const Lanes* codes, int64_t rows, const MethodOutput& output) const override;

  // Moves entries to stored ones that lower e^T (H + damping) e of all rows that share them, where there are any.
  // errors: [16][columns], value - decoded. False: nothing moved.
  bool refit_entries(const HessianFactor& shared, const float* errors, const Lanes* codes);
  // Rows that a code stands for. Where these are several, `nearer` becomes by how much `value` is nearer to `wanted`
  // than `now` is, in all rows of a code together.
  int vector() const { return layout_.vector; }
  void compare(const Lanes& wanted, const Lanes& now, const Lanes& value, Lanes& nearer) const;

 private:
  using Entries = std::vector<double>;  // one for each number of the palettes

  struct Step {  // entries ascending, by lane
    Lanes limit, value, code;
  };

  size_t entries() const { return static_cast<size_t>(layout_.entries()); }
  size_t numbers() const { return static_cast<size_t>(layout_.numbers()); }
  // Where the number that code u means in a lane is, among those of all palettes.
  size_t number_of(int64_t lane, size_t u) const {
    const auto vector = static_cast<size_t>(layout_.vector), row = static_cast<size_t>(lane);
    return row / static_cast<size_t>(lanes_of_palette()) * numbers() + u * vector + row % vector;
  }
  int64_t lanes_of_palette() const { return layout_.rows_of_palette(); }
  void set_entries(int lane, std::span<const uint16_t> bits);
  void fit_vectors(const Lanes* values, const float* weights);
  void quantize_vectors(const Lanes& values, Lanes& decoded, Lanes& codes) const;
  void sort_entries();
  Entries gather(const HessianFactor& shared, const float* vectors, const Lanes* codes) const;
  Entries curvature(const HessianFactor& shared, const Lanes* codes) const;
  void spread(const Entries& moves, const Lanes* codes, float* vectors) const;

  const Layout& layout_;
  int64_t columns_, rows_;
  const SharedPalettes* palettes_;
  int64_t first_row_;
  std::vector<Lanes> values_;  // by code
  std::vector<Step> steps_;
  std::unique_ptr<VectorCoder> vectors_;           // instead of steps, where codes stand for several rows
  Lanes scale_ = {}, inverse_ = {}, weight_ = {};  // weight: how much the errors of a row count
};

}  // namespace halftone
