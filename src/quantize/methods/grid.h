// SPDX-License-Identifier: Apache-2.0
// The numbers that a layout can store, for the rows of one panel side by side, so that methods need not know layouts.
#pragma once

#include <cstdint>
#include <memory>

#include "base/aligned.h"
#include "quantize/methods/method.h"

namespace halftone {

// A number of each row of a panel. Loops over it are what compilers turn into vectors, and no sum crosses it.
struct alignas(64) Lanes {
  float at[kPanelRows];
};

// The rows of a panel as columns of lanes; rows that do not exist are zeros.
AlignedBuffer<Lanes> lanes_of(const MethodInput& input);

// What a group's line (value = code * scale + base) would gain by moving, of each row: with e the errors of the whole
// row, u the codes and 1 ones in the group's columns, zeros elsewhere.
struct LineMoments {
  Lanes code_error, error;    // u^T H e, 1^T H e
  Lanes code_code, code_one;  // u^T H u, u^T H 1
  float one_one = 0;          // 1^T H 1
};

class PaletteGrid;

class Grid {
 public:
  virtual ~Grid() = default;

  // Chooses what groups share, so that the sum of weights[k] * (value - nearest)^2 is small. weights: (columns), > 0.
  virtual void fit(const Lanes* values, const float* weights) = 0;
  // The nearest number of column k that can be stored, and its code (as a float: unsigned where the layout is affine).
  virtual void quantize(int64_t column, const Lanes& values, Lanes& decoded, Lanes& codes) const = 0;
  // The number that a code stands for.
  virtual void decode(int64_t column, const Lanes& codes, Lanes& decoded) const = 0;
  // Moves the group's line to the stored one that lowers e^T H e most, where one does. False: nothing moved.
  virtual bool refit(int64_t group, const LineMoments& moments) = 0;
  virtual int64_t group_width() const = 0;
  virtual PaletteGrid* palettes() { return nullptr; }  // itself, where it has entries instead of lines
  // Scales and what else groups share, of the first `rows` rows, and the codes (columns).
  virtual void write(const Lanes* codes, int64_t rows, const MethodOutput& output) const = 0;
};

// For matrices of `columns` columns. REQUIRES: an integer layout.
std::unique_ptr<Grid> make_grid(const Layout& layout, int64_t columns);

}  // namespace halftone
