// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "quantize/methods/grid.h"

namespace halftone {

// value = code * scale + base, code in low .. high; base is zero in symmetric layouts. What is stored is f16.
struct Line {
  Lanes scale = {}, inverse = {}, base = {};

  // Rounded as stored; a scale that rounds to zero has inverse zero.
  static Line stored(const Lanes& scale, const Lanes& base);
};

class UniformGrid final : public Grid {
 public:
  UniformGrid(const Layout& layout, int64_t columns);

  void fit(const Lanes* values, const float* weights) override;
  void quantize(int64_t column, const Lanes& values, Lanes& decoded, Lanes& codes) const override;
  void decode(int64_t column, const Lanes& codes, Lanes& decoded) const override;
  bool refit(int64_t group, const LineMoments& moments) override;
  int64_t group_width() const override { return width_; }
  void write(const Lanes* codes, int64_t rows, const MethodOutput& output) const override;

 private:
  struct Group;  // values and weights of one group
  struct Best;   // the line of least error so far, of each row

  void consider(const Group& group, const Line& line, Best& best) const;
  Line fitted(const Group& group, const Line& line) const;
  Line fit_group(const Group& group) const;
  Line fit_symmetric(const Group& group) const;
  Line fit_affine(const Group& group) const;

  const Layout& layout_;
  int64_t columns_, width_;
  float low_, high_;
  std::vector<Line> lines_;  // of groups
};

}  // namespace halftone
