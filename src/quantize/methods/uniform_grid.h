// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "quantize/methods/grid.h"

namespace halftone {

// value = code * scale + base, code in low .. high; base is zero in symmetric layouts. What is stored is f16.
struct Line {
  Lanes scale = {}, inverse = {}, base = {};

  // A scale of zero gets the inverse zero.
  static Line of(const Lanes& scale, const Lanes& base);
};

class UniformGrid : public Grid {
 public:
  UniformGrid(const Layout& layout, int64_t columns);

  void fit(const Lanes* values, const float* weights) override;
  void quantize(int64_t column, const Lanes& values, Lanes& decoded, Lanes& codes) const override;
  void decode(int64_t column, const Lanes& codes, Lanes& decoded) const override;
  bool refit(int64_t group, const LineMoments& moments) override;
  int64_t group_width() const override { return width_; }
  void write(const Lanes* codes, int64_t rows, const MethodOutput& output) const override;

 protected:
  struct Group {  // the columns that share a line
    int64_t index;
    const Lanes* values;
    const float* weights;
    int64_t count;
  };
  struct Best {  // the line of least error so far, of each row
    Line line;
    Lanes error;

    static Best none();
  };

  Group group_of(int64_t index, const Lanes* values, const float* weights) const;
  // The line that can be stored and is nearest.
  virtual Line stored(int64_t group, const Lanes& scale, const Lanes& base) const;
  // Takes the line where its error is less.
  void consider(const Group& group, const Line& line, Best& best) const;
  // The stored line of least squares through the codes that `line` gives.
  Line fitted(const Group& group, const Line& line) const;
  Line fit_group(const Group& group) const;
  void write_codes(const Lanes* codes, int64_t rows, const MethodOutput& output) const;

  const Layout& layout_;
  int64_t columns_, width_;
  float low_, high_;
  std::vector<Line> lines_;  // of groups

 private:
  void try_symmetric(const Group& group, Best& best) const;
  void try_affine(const Group& group, Best& best) const;
};

// Scales and bases of two levels. 256 columns share f16 numbers that the lines of their groups, fitted freely, ask for;
// then each group searches the bytes around its own.
class NestedGrid final : public UniformGrid {
 public:
  NestedGrid(const Layout& layout, int64_t columns);

  void fit(const Lanes* values, const float* weights) override;
  void write(const Lanes* codes, int64_t rows, const MethodOutput& output) const override;

 private:
  struct Upper {
    Lanes scale = {}, base = {};  // d and dmin
  };

  Line stored(int64_t group, const Lanes& scale, const Lanes& base) const override;
  const Upper& upper_of(int64_t group) const { return upper_[static_cast<size_t>(group * width_ / layout_.super)]; }
  void choose_upper();
  Line search_bytes(const Group& group) const;

  float least_byte_, most_byte_;
  bool free_ = true;  // lines are not yet bound to bytes
  std::vector<Upper> upper_;
};

}  // namespace halftone
