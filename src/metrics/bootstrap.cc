// SPDX-License-Identifier: Apache-2.0
#include "metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "metrics/special.h"

namespace halftone {
namespace {

// Sums of rows (count, sum 0, sum 1, ...) drawn with replacement; the width is fixed so that they stay in registers.
template <int kWidth>
void draw(const std::vector<double>& rows, int64_t groups, int64_t replicates, uint64_t seed, double* totals) {
  Rng rng(seed);
  const uint64_t bound = static_cast<uint64_t>(groups);
  for (int64_t replicate = 0; replicate < replicates; ++replicate) {
    double total[kWidth] = {};
    uint64_t bits = 0;
    for (int64_t i = 0; i < groups; ++i) {
      // Two draws from 64 bits; the multiply-shift is uneven by at most groups / 2^32.
      bits = i % 2 == 0 ? rng.next() : bits << 32;
      const uint64_t row = ((bits >> 32) * bound) >> 32;
      const double* values = rows.data() + row * kWidth;
      for (int column = 0; column < kWidth; ++column) total[column] += values[column];
    }
    std::copy(total, total + kWidth, totals + replicate * kWidth);
  }
}

constexpr int64_t kColumns = 4;  // quantities drawn together, beside the count

// Totals of `columns` quantities from `first` on: (replicates, 1 + columns), the count in front.
std::vector<double> totals_of(const GroupTable& table, int64_t first, int64_t columns, int64_t replicates,
                              uint64_t seed) {
  const int64_t groups = static_cast<int64_t>(table.counts.size()), width = columns + 1;
  std::vector<double> rows(groups * width), totals(replicates * width);
  for (int64_t g = 0; g < groups; ++g) {
    rows[g * width] = table.counts[g];
    for (int64_t c = 0; c < columns; ++c) rows[g * width + 1 + c] = table.sums[g * table.quantities + first + c];
  }
  const auto draw_width = columns == 1 ? draw<2> : columns == 2 ? draw<3> : columns == 3 ? draw<4> : draw<5>;
  draw_width(rows, groups, replicates, seed, totals.data());
  return totals;
}

struct Moments {
  double mean = 0, deviation = 0, acceleration = 0;
};

// Influence of each group on sum / count, which is also its jackknife value to first order.
Moments moments_of(const GroupTable& table, int64_t quantity) {
  const int64_t groups = static_cast<int64_t>(table.counts.size());
  double count = 0, sum = 0;
  for (int64_t g = 0; g < groups; ++g) {
    count += table.counts[g];
    sum += table.sums[g * table.quantities + quantity];
  }
  Moments moments;
  moments.mean = sum / count;
  double squares = 0, cubes = 0;
  for (int64_t g = 0; g < groups; ++g) {
    const double influence = (table.sums[g * table.quantities + quantity] - moments.mean * table.counts[g]) / count;
    squares += influence * influence;
    cubes += influence * influence * influence;
  }
  moments.deviation = std::sqrt(squares * static_cast<double>(groups));
  moments.acceleration = squares > 0 ? cubes / (6 * std::pow(squares, 1.5)) : 0;
  return moments;
}

// Hesterberg's expansion: from the nominal z to the one that few groups need, and back.
double widened(double z, int64_t groups) {
  const double degrees = static_cast<double>(groups - 1);
  return std::sqrt((degrees + 1) / degrees) * student_t_quantile(normal_cdf(z), degrees);
}

double narrowed(double z, int64_t groups) {
  const double degrees = static_cast<double>(groups - 1);
  return normal_quantile(student_t_cdf(z / std::sqrt((degrees + 1) / degrees), degrees));
}

// The replicate below which a fraction `fraction` lies, linear between neighbours.
double replicate_at(const std::vector<double>& sorted, double fraction) {
  const double place = std::clamp(fraction, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double fraction_below(const std::vector<double>& sorted, double value) {
  const auto first = std::lower_bound(sorted.begin(), sorted.end(), value);
  const auto last = std::upper_bound(first, sorted.end(), value);
  const double ties = static_cast<double>(last - first);
  return (static_cast<double>(first - sorted.begin()) + ties / 2) / static_cast<double>(sorted.size());
}

// Endpoint whose nominal normal quantile is z.
double bca_point(const BootstrapMean& mean, double z) {
  if (!(mean.deviation > 0)) return mean.mean;
  const double shifted = mean.bias + widened(z, mean.groups);
  const double scale = 1 - mean.acceleration * shifted;
  if (scale <= 0) return z > 0 ? mean.replicates.back() : mean.replicates.front();
  return replicate_at(mean.replicates, normal_cdf(mean.bias + shifted / scale));
}

// The inverse of bca_point: the confidence with which the true mean lies below `limit`.
double confidence_below(const BootstrapMean& mean, double limit) {
  if (!(mean.deviation > 0)) return mean.mean < limit ? 1 : 0;
  const double smallest = 1 / static_cast<double>(mean.replicates.size() + 1);
  const double fraction = std::clamp(fraction_below(mean.replicates, limit), smallest, 1 - smallest);
  const double u = normal_quantile(fraction) - mean.bias;
  const double scale = 1 + mean.acceleration * u;
  if (scale <= 0) return u > 0 ? 1 - smallest : smallest;
  const double confidence = normal_cdf(narrowed(u / scale - mean.bias, mean.groups));
  return std::clamp(confidence, smallest, 1 - smallest);
}

}  // namespace

std::vector<BootstrapMean> bootstrap_means(const GroupTable& table, int64_t replicates, uint64_t seed) {
  const int64_t groups = static_cast<int64_t>(table.counts.size());
  HALFTONE_CHECK(table.sums.size() == table.counts.size() * static_cast<size_t>(table.quantities));
  std::vector<BootstrapMean> results(table.quantities);
  if (groups == 0) return results;
  std::vector<double> totals;
  int64_t columns = 0;
  for (int64_t q = 0; q < table.quantities; ++q) {
    BootstrapMean& result = results[q];
    const Moments moments = moments_of(table, q);
    result.mean = moments.mean;
    result.deviation = moments.deviation;
    result.acceleration = moments.acceleration;
    result.groups = groups;
    if (groups < kMinGroups) continue;
    const int64_t place = q % kColumns;
    if (place == 0) {
      columns = std::min(kColumns, table.quantities - q);
      totals = totals_of(table, q, columns, replicates, seed);
    }
    result.replicates.resize(replicates);
    for (int64_t r = 0; r < replicates; ++r) {
      const double* total = totals.data() + r * (columns + 1);
      result.replicates[r] = total[1 + place] / total[0];
    }
    std::sort(result.replicates.begin(), result.replicates.end());
    const double smallest = 0.5 / static_cast<double>(replicates);
    const double below = std::clamp(fraction_below(result.replicates, result.mean), smallest, 1 - smallest);
    result.bias = normal_quantile(below);
  }
  return results;
}

bool has_interval(const BootstrapMean& mean) { return !mean.replicates.empty(); }

double bootstrap_upper(const BootstrapMean& mean, double level) { return bca_point(mean, normal_quantile(level)); }
double bootstrap_lower(const BootstrapMean& mean, double level) { return bca_point(mean, normal_quantile(1 - level)); }

Interval bootstrap_interval(const BootstrapMean& mean, double level) {
  const double each = 1 - (1 - level) / 2;
  return {bootstrap_lower(mean, each), bootstrap_upper(mean, each)};
}

double mean_beyond_p(const BootstrapMean& mean, double limit) { return confidence_below(mean, limit); }
double mean_inside_p(const BootstrapMean& mean, double limit) { return 1 - confidence_below(mean, limit); }

Interval mean_interval(std::span<const double> values, double level) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (values.size() < 2) return {-kInfinity, kInfinity};
  const double n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  for (const double value : values) squares += (value - sum / n) * (value - sum / n);
  const double half = student_t_quantile(1 - (1 - level) / 2, n - 1) * std::sqrt(squares / (n - 1) / n);
  return {sum / n - half, sum / n + half};
}

}  // namespace halftone
