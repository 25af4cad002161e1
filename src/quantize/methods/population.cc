// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/population.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace halftone {
namespace {

constexpr uint32_t kSignBit = 0x80000000u;
constexpr float kGreatestCount = 1 << 20;

uint32_t ascending(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return bits & kSignBit ? ~bits : bits | kSignBit;
}

float from_ascending(uint32_t key) { return std::bit_cast<float>(key & kSignBit ? key & ~kSignBit : ~key); }

}  // namespace

std::vector<uint32_t> column_counts(std::span<const float> importance) {
  float greatest = 0;
  for (const float one : importance) greatest = std::max(greatest, one);
  std::vector<uint32_t> counts(importance.size(), 1);
  for (size_t k = 0; k < counts.size(); ++k) {
    const float part = importance[k] / greatest;
    if (part > 0) counts[k] = std::max(1u, static_cast<uint32_t>(part * kGreatestCount + 0.5f));
  }
  return counts;
}

Population::Population(std::vector<Value> values) {
  std::sort(values.begin(), values.end(), [](const Value& a, const Value& b) { return a.value < b.value; });
  std::vector<double> counts;
  for (const Value& one : values) {
    const auto value = static_cast<double>(one.value);
    if (values_.empty() || values_.back() != value) {
      values_.push_back(value);
      counts.push_back(0);
    }
    counts.back() += static_cast<double>(one.count);  // whole numbers below 2^53: exact in any order
  }
  add_up(counts);
}

Population::Population(std::span<const uint64_t> histogram) {
  std::vector<double> counts;
  for (size_t key = 0; key < histogram.size(); ++key) {
    if (histogram[key] == 0) continue;
    values_.push_back(static_cast<double>(Histogram::value_of(static_cast<uint32_t>(key))));
    counts.push_back(static_cast<double>(histogram[key]));
  }
  add_up(counts);
}

// Counted from the mean, so that little is lost when sums are subtracted.
void Population::add_up(std::span<const double> counts) {
  double total = 0, first = 0;
  for (size_t i = 0; i < values_.size(); ++i) total += counts[i], first += counts[i] * values_[i];
  centre_ = total > 0 ? first / total : 0;
  sums_.assign(1, {0, 0, 0});
  sums_.reserve(values_.size() + 1);
  for (size_t i = 0; i < values_.size(); ++i) {
    const double x = values_[i] - centre_;
    const Sums& before = sums_.back();
    sums_.push_back({before.count + counts[i], before.first + counts[i] * x, before.second + counts[i] * x * x});
  }
}

double Population::mean(int64_t begin, int64_t end) const {
  const Sums &from = sums_[static_cast<size_t>(begin)], &to = sums_[static_cast<size_t>(end)];
  return centre_ + (to.first - from.first) / (to.count - from.count);
}

double Population::cost_of(int64_t begin, int64_t end, double number) const {
  const Sums &from = sums_[static_cast<size_t>(begin)], &to = sums_[static_cast<size_t>(end)];
  const double c = number - centre_;
  return (to.second - from.second) - 2 * c * (to.first - from.first) + c * c * (to.count - from.count);
}

int64_t Population::count_up_to(double limit) const {
  return std::upper_bound(values_.begin(), values_.end(), limit) - values_.begin();
}

void Histogram::add(const Histogram& other) {
  for (size_t key = 0; key < counts_.size(); ++key) counts_[key] += other.counts_[key];
}

uint32_t Histogram::key_of(float value) {
  constexpr uint32_t kStep = 1u << (32 - kBits), kInfinity = 0x7f800000u;
  const auto bits = std::bit_cast<uint32_t>(value == 0 ? 0.0f : value);
  const uint32_t magnitude = bits & ~kSignBit, rounded = magnitude + kStep / 2;  // the greatest floats stay finite
  const uint32_t kept = (rounded < kInfinity ? rounded : magnitude) & ~(kStep - 1);
  return ascending(std::bit_cast<float>(kept | (bits & kSignBit))) >> (32 - kBits);
}

float Histogram::value_of(uint32_t key) {
  // Below zero bits count backwards: the lower ones of a value that fits kBits are ones.
  const uint32_t upper = key << (32 - kBits);
  return from_ascending(upper & kSignBit ? upper : upper | ((1u << (32 - kBits)) - 1));
}

}  // namespace halftone
