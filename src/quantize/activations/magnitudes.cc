// SPDX-License-Identifier: Apache-2.0
#include "quantize/activations/magnitudes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>

#include "base/error.h"

namespace halftone {
namespace {

constexpr int64_t kValuesPerChunk = 1 << 16;

}  // namespace

Magnitudes::Magnitudes() : counts_((kInfinity >> kDropped) + 1) {}

void Magnitudes::add(std::span<const float> values, ThreadPool& pool) {
  std::mutex mutex;
  const auto total = static_cast<int64_t>(values.size());
  // Every thread counts for itself: 4 MB each, which is why it takes part only where there is much to count.
  const int64_t chunk = std::max(kValuesPerChunk * 16, (total + pool.threads() - 1) / pool.threads());
  pool.parallel_for((total + chunk - 1) / chunk, 1, [&](int64_t begin, int64_t end, int) {
    std::vector<int64_t> counts(counts_.size());
    uint32_t largest = 0;
    for (int64_t i = begin * chunk; i < std::min(end * chunk, total); ++i) {
      const uint32_t bits = std::bit_cast<uint32_t>(values[static_cast<size_t>(i)]) & 0x7fffffffu;
      largest = std::max(largest, bits);
      ++counts[std::min(bits, kInfinity) >> kDropped];
    }
    const std::lock_guard lock(mutex);
    for (size_t i = 0; i < counts.size(); ++i) counts_[i] += counts[i];
    largest_ = std::max(largest_, largest);
  });
  count_ += total;
}

float Magnitudes::largest() const { return std::bit_cast<float>(largest_); }

float Magnitudes::percentile(double percent) const {
  HALFTONE_CHECK(is_finite() && count_ > 0);
  const double wanted = std::ceil(percent / 100 * static_cast<double>(count_));
  int64_t below = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    below += counts_[i];
    if (below == 0 || static_cast<double>(below) < wanted) continue;
    const uint32_t end = static_cast<uint32_t>(i + 1) << kDropped;
    return std::bit_cast<float>(std::min(end - 1, largest_));
  }
  return largest();
}

std::vector<Magnitudes::Bin> Magnitudes::bins() const {
  std::vector<Bin> bins;
  for (size_t i = 0; i + 1 < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    const auto begin = static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(i) << kDropped));
    const uint32_t next = std::min(static_cast<uint32_t>(i + 1) << kDropped, largest_);
    const double end = std::max(begin, static_cast<double>(std::bit_cast<float>(next)));
    bins.push_back({(begin + end) / 2, end - begin, static_cast<double>(counts_[i])});
  }
  return bins;
}

double Magnitudes::squared_error(const std::vector<Bin>& bins, double border, double levels) {
  const double step = border / levels;
  double sum = 0, count = 0;
  for (const Bin& bin : bins) {
    count += bin.count;
    if (bin.middle > border) {
      sum += bin.count * (bin.middle - border) * (bin.middle - border);
    } else if (bin.width > step / 4) {
      sum += bin.count * step * step / 12;  // values of a bin lie anywhere between two steps
    } else {
      const double error = bin.middle - std::nearbyint(bin.middle / step) * step;
      sum += bin.count * error * error;
    }
  }
  return count > 0 ? sum / count : 0;
}

double Magnitudes::squared_error(double border, double levels) const { return squared_error(bins(), border, levels); }

double Magnitudes::second_moment() const {
  double sum = 0;
  for (const Bin& bin : bins()) sum += bin.count * bin.middle * bin.middle;
  return count_ > 0 ? sum / static_cast<double>(count_) : 0;
}

float Magnitudes::best_border(float levels) const {
  HALFTONE_CHECK(is_finite() && count_ > 0);
  const std::vector<Bin> all = bins();
  const auto most = static_cast<double>(largest());
  double best = most, least = squared_error(all, most, static_cast<double>(levels));
  for (double border = most * 63 / 64; border > most / 1024; border = border * 63 / 64) {
    const double error = squared_error(all, border, static_cast<double>(levels));
    if (error >= least) continue;
    least = error;
    best = border;
  }
  return static_cast<float>(best);
}

}  // namespace halftone
