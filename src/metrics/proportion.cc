// SPDX-License-Identifier: Apache-2.0
#include "metrics/proportion.h"

#include <algorithm>
#include <cmath>

#include "metrics/special.h"

namespace halftone {

double clopper_pearson_upper(double x, double n, double level) {
  return x >= n ? 1 : inverse_incomplete_beta(x + 1, n - x, level);
}

double clopper_pearson_lower(double x, double n, double level) {
  return x <= 0 ? 0 : inverse_incomplete_beta(x, n - x + 1, 1 - level);
}

Interval clopper_pearson(double x, double n, double level) {
  const double each = 1 - (1 - level) / 2;
  return {clopper_pearson_lower(x, n, each), clopper_pearson_upper(x, n, each)};
}

Interval wilson(double x, double n, double level) {
  if (!(n > 0)) return {0, 1};
  const double z = normal_quantile(1 - (1 - level) / 2);
  const double p = x / n;
  const double scale = 1 / (1 + z * z / n);
  const double middle = scale * (p + z * z / (2 * n));
  const double half = scale * z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {x <= 0 ? 0 : std::max(0.0, middle - half), x >= n ? 1 : std::min(1.0, middle + half)};
}

GroupedWorth worth_of_groups(std::span<const GroupSum> groups, double variance, double events, double borrowed) {
  double n = 0, total = 0;
  bool single = true;
  for (const GroupSum& group : groups) {
    n += group.count;
    total += group.sum;
    single = single && group.count == 1;
  }
  const double count = static_cast<double>(groups.size());
  if (single) return {1, n};  // independent samples: nothing to correct
  if (groups.size() < 2) return {n, std::min(n, 1.0)};
  const double mean = total / n;
  double between = 0;
  for (const GroupSum& group : groups) {
    const double residual = group.sum - mean * group.count;
    between += residual * residual;
  }
  const double spread = between * count / (count - 1) / (n * n);  // variance of the mean, from the groups
  const bool borrows = borrowed > 0 && events < kFewEvents;
  if (!borrows && (!(variance > 0) || !(spread > 0))) return {n / count, count};
  double effect = variance > 0 ? std::max(1.0, spread / (variance / n)) : 1;
  if (borrows) effect = std::max(effect, borrowed);
  const double ratio = normal_quantile(0.95) / student_t_quantile(0.95, count - 1);
  return {effect, std::max(1.0, n / effect * ratio * ratio)};
}

GroupedProportion grouped_proportion(std::span<const GroupSum> groups, double borrowed) {
  GroupedProportion result;
  for (const GroupSum& group : groups) {
    result.n += group.count;
    result.x += group.sum;
  }
  result.groups = static_cast<double>(groups.size());
  if (!(result.n > 0)) return result;
  const double p = result.x / result.n;
  const GroupedWorth worth = worth_of_groups(groups, p * (1 - p), std::min(result.x, result.n - result.x), borrowed);
  result.design_effect = worth.design_effect;
  result.effective_n = worth.effective_n;
  return result;
}

}  // namespace halftone
