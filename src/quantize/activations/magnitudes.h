// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "tensor/static_range.h"

namespace halftone {

// How often which |x| occurs: counts by exponent and the first 11 bits of the mantissa, so that a bin is at
// most 1/2048 of its values wide whatever their size is, and no range has to be known before. Counts are integers: the
// same for any threads and any order.
class Magnitudes {
 public:
  Magnitudes();

  void add(std::span<const float> values, ThreadPool& pool);

  bool is_finite() const { return largest_ < kInfinity; }  // of all values
  int64_t count() const { return count_; }
  float largest() const;  // exactly
  // The least border that so many percent of the values do not exceed: to within a bin above the value that sorting
  // gives, and never above the largest. REQUIRES: is_finite(), count() > 0
  float percentile(double percent) const;
  // The border c whose grid of `levels` steps of c / levels on each side of zero has the least mean squared error
  // (Nagel et al. 2021, "A White Paper on Neural Network Quantization", section 3.1): of the largest and 63/64 of each
  // down to its 1/1024. REQUIRES: as above
  float best_border(float levels) const;
  // Mean squared error of that grid, and of all values being zero.
  double squared_error(double border, double levels) const;
  double second_moment() const;

 private:
  static constexpr int kDropped = 12;  // bits of the mantissa that bins do not tell apart
  static constexpr uint32_t kInfinity = 0x7f800000u;

  // Of the bins that hold something.
  struct Bin {
    double middle, width, count;
  };
  std::vector<Bin> bins() const;
  static double squared_error(const std::vector<Bin>& bins, double border, double levels);

  std::vector<int64_t> counts_;
  int64_t count_ = 0;
  uint32_t largest_ = 0;  // bits of |x|, which are ordered as the values are, NaN above infinity
};

}  // namespace halftone
