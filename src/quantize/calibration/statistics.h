// SPDX-License-Identifier: Apache-2.0
// What calibration keeps of the inputs of a matrix: sums that grow with its columns, not with the tokens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "halftone/status.h"
#include "quantize/products.h"

namespace halftone {

// Per column of x (tokens, columns): range and moments. One pass, in double, rows in order: the same bits however the
// rows are cut into calls.
class ChannelStatistics {
 public:
  explicit ChannelStatistics(int64_t columns);
  // REQUIRES: whole rows
  void add(std::span<const float> rows);

  int64_t columns() const { return static_cast<int64_t>(minimum_.size()); }
  int64_t tokens() const { return tokens_; }
  // (columns) each; of no tokens: +infinity, -infinity, 0, 0
  const std::vector<float>& minimum() const { return minimum_; }
  const std::vector<float>& maximum() const { return maximum_; }
  std::vector<float> mean() const;
  std::vector<float> second_moment() const;  // mean of x squared: the diagonal of the Hessian
  // An error that names `what` and the first column that saw a NaN or an infinity.
  Status check_finite(std::string_view what) const;

 private:
  int64_t tokens_ = 0;
  std::vector<float> minimum_, maximum_;
  std::vector<double> sum_, squares_;
};

// Sum of x x^T over the tokens added, for GPTQ. 4 * columns^2 bytes, and while adding 8 * columns * 1024.
class HessianSum {
 public:
  explicit HessianSum(int64_t columns);
  // x: (tokens, columns). Tokens are summed in stretches of 1024 from the call's first one on; bits do not depend on
  // threads.
  void add(const float* x, int64_t tokens, Products& products);
  int64_t tokens() const { return tokens_; }
  // Mean of x x^T, (columns, columns), symmetric to the bit; of no tokens zeros. The sum is given away.
  std::vector<float> take_mean();

 private:
  int64_t columns_, tokens_ = 0;
  std::vector<float> sum_;  // its upper half
};

}  // namespace halftone
