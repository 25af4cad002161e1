// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "quantize/methods/gptq.h"
#include "quantize/methods/grid.h"
#include "quantize/methods/palettes.h"

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

 private:
  using Entries = std::vector<double>;  // a number of each entry: [palettes][entries]

  struct Step {  // entries ascending, by lane
    Lanes limit, value, code;
  };

  size_t entries() const { return static_cast<size_t>(layout_.entries()); }
  int64_t lanes_of_palette() const { return layout_.rows_of_palette(); }
  void set_entries(int lane, std::span<const uint16_t> bits);
  void sort_entries();
  Entries gather(const HessianFactor& shared, const float* vectors, const Lanes* codes) const;
  Entries curvature(const HessianFactor& shared, const Lanes* codes) const;
  void spread(const Entries& numbers, const Lanes* codes, float* vectors) const;

  const Layout& layout_;
  int64_t columns_, rows_;
  const SharedPalettes* palettes_;
  int64_t first_row_;
  std::vector<Lanes> values_;  // by code
  std::vector<Step> steps_;
  Lanes scale_ = {}, inverse_ = {}, weight_ = {};  // weight: how much the errors of a row count
};

}  // namespace halftone
