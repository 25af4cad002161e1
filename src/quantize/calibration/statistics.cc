// SPDX-License-Identifier: Apache-2.0
#include "quantize/calibration/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace halftone {
namespace {

constexpr int64_t kStretch = 1024;  // tokens of one product: bounds its copies of x

std::vector<float> over(const std::vector<double>& sums, int64_t tokens) {
  std::vector<float> means(sums.size());
  for (size_t i = 0; i < sums.size() && tokens > 0; ++i)
    means[i] = static_cast<float>(sums[i] / static_cast<double>(tokens));
  return means;
}

}  // namespace

ChannelStatistics::ChannelStatistics(int64_t columns)
    : minimum_(static_cast<size_t>(columns), std::numeric_limits<float>::infinity()),
      maximum_(static_cast<size_t>(columns), -std::numeric_limits<float>::infinity()),
      sum_(static_cast<size_t>(columns)),
      squares_(static_cast<size_t>(columns)) {}

void ChannelStatistics::add(std::span<const float> rows) {
  const size_t columns = minimum_.size();
  HALFTONE_CHECK(rows.size() % columns == 0);
  for (; !rows.empty(); rows = rows.subspan(columns), ++tokens_) {
    for (size_t i = 0; i < columns; ++i) {
      const auto x = static_cast<double>(rows[i]);
      minimum_[i] = rows[i] < minimum_[i] ? rows[i] : minimum_[i];
      maximum_[i] = rows[i] > maximum_[i] ? rows[i] : maximum_[i];
      sum_[i] += x;
      squares_[i] += x * x;
    }
  }
}

std::vector<float> ChannelStatistics::mean() const { return over(sum_, tokens_); }
std::vector<float> ChannelStatistics::second_moment() const { return over(squares_, tokens_); }

Status ChannelStatistics::check_finite(std::string_view what) const {
  for (size_t i = 0; i < squares_.size(); ++i) {
    if (std::isfinite(squares_[i])) continue;
    return invalid_input(
        "[calibration] {}: expected finite inputs, got {} in column {}; the float model overflows on the calibration, "
        "or its weights are damaged (halftone verify)",
        what, squares_[i], i);
  }
  return {};
}

HessianSum::HessianSum(int64_t columns) : columns_(columns), sum_(static_cast<size_t>(columns * columns)) {}

void HessianSum::add(const float* x, int64_t tokens, Products& products) {
  for (int64_t begin = 0; begin < tokens; begin += kStretch)
    products.add_gram(x + begin * columns_, columns_, std::min(kStretch, tokens - begin), sum_.data());
  tokens_ += tokens;
}

std::vector<float> HessianSum::take_mean() {
  std::vector<float> mean = std::move(sum_);
  sum_ = {};
  mirror_upper(mean.data(), columns_);
  const float factor = tokens_ > 0 ? 1 / static_cast<float>(tokens_) : 0;
  for (float& value : mean) value *= factor;
  return mean;
}

}  // namespace halftone
