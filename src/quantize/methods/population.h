// SPDX-License-Identifier: Apache-2.0
// Weights as a sorted list of distinct values, each with how much it counts, and the cost of giving a run of them one
// number.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace halftone {

// How much columns count, as whole numbers: sums of them depend on no order. Empty importance: every column counts 1.
// Else in proportion to it, rounded to steps of 2^-20 of the greatest, and at least one step.
std::vector<uint32_t> column_counts(std::span<const float> importance);

class Population {
 public:
  struct Value {
    float value;
    uint64_t count;
  };

  // Any order, equal values merged. REQUIRES: finite values; counts above 0.
  explicit Population(std::vector<Value> values);
  // From counts of what Histogram::key_of maps values to.
  explicit Population(std::span<const uint64_t> histogram);

  int64_t size() const { return static_cast<int64_t>(values_.size()); }
  double value(int64_t i) const { return values_[static_cast<size_t>(i)]; }
  // The number that serves values [begin, end) best, their mean, and the squared error that is left.
  double mean(int64_t begin, int64_t end) const;
  double cost(int64_t begin, int64_t end) const {
    const Sums &from = sums_[static_cast<size_t>(begin)], &to = sums_[static_cast<size_t>(end)];
    const double first = to.first - from.first;
    const double left = (to.second - from.second) - first * first / (to.count - from.count);
    return left > 0 ? left : 0;
  }
  // The squared error of values [begin, end) when they get `number`.
  double cost_of(int64_t begin, int64_t end, double number) const;
  // How many values are at most `limit`.
  int64_t count_up_to(double limit) const;
  double count(int64_t begin, int64_t end) const {
    return sums_[static_cast<size_t>(end)].count - sums_[static_cast<size_t>(begin)].count;
  }

 private:
  struct Sums {
    double count, first, second;  // of values before this one: 1, x, x^2, x counted from centre_
  };
  void add_up(std::span<const double> counts);

  std::vector<double> values_;
  std::vector<Sums> sums_;  // one more than values
  double centre_ = 0;
};

// Counts of the values of a whole matrix, in bounded memory: one of f16 or bf16 has its own key; an f32 is rounded to
// 12 significant bits, one more than the f16 entries that it will become.
class Histogram {
 public:
  static constexpr int kBits = 20;
  Histogram() : counts_(size_t{1} << kBits) {}
  void add(float value, uint64_t count) { counts_[key_of(value)] += count; }
  void add(const Histogram& other);
  Population population() const { return Population(counts_); }

  static uint32_t key_of(float value);  // ascending like values
  static float value_of(uint32_t key);

 private:
  std::vector<uint64_t> counts_;
};

}  // namespace halftone
