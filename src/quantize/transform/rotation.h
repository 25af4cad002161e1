// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace halftone {

// An orthogonal matrix that spreads what lies in one channel over many: random signs, then a Hadamard matrix of the
// largest power of two in `size` times a reflection I - 2/m 11^T of the odd rest m. Computed in double: sums are exact
// to its precision, and the scale is applied once.
class Rotation {
 public:
  Rotation(int64_t size, uint64_t seed);
  int64_t size() const { return static_cast<int64_t>(signs_.size()); }
  // Every run of `size` columns, in each row of (rows, stride) from column `first` on, `runs` of them. In place.
  void rotate_columns(std::span<float> values, int64_t rows, int64_t first, int64_t runs) const;
  // `size` rows as one: row i becomes sum over j of matrix(i, j) times row j. In place.
  void rotate_rows(std::span<float> values) const;

 private:
  void apply(double* x, int64_t width) const;  // x (size, width)

  std::vector<double> signs_;
  int64_t power_ = 1, odd_ = 1;
  double scale_ = 1;
};

}  // namespace halftone
