// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

namespace halftone {

struct MedianInterval {
  double median = 0, low = 0, high = 0;  // low, high: 95 % interval of the median (order statistics)
};

// The k-th smallest and k-th largest value enclose the median with probability 1 - 2 P(Bin(n, 1/2) < k), whatever the
// distribution. Fewer than 6 values carry no 95 % interval: then low and high are the extremes (n = 5: 94 %).
// All zeros for no values.
MedianInterval median_interval(std::span<const double> values);
nlohmann::ordered_json to_json(const MedianInterval& interval);

}  // namespace halftone
