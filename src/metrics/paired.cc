// SPDX-License-Identifier: Apache-2.0
#include "metrics/paired.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "metrics/special.h"

namespace halftone {

double paired_loss(const PairedCounts& counts) { return counts.n > 0 ? (counts.lost - counts.gained) / counts.n : 0; }

double tango_z(const PairedCounts& counts, double loss) {
  // Maximum-likelihood estimate of the gained probability under the constraint, root of a quadratic (Tango, eq. 15).
  const double a = 2 * counts.n;
  const double b = -counts.lost - counts.gained + (2 * counts.n - counts.lost + counts.gained) * loss;
  const double c = -counts.gained * loss * (1 - loss);
  const double gained = (std::sqrt(std::max(0.0, b * b - 4 * a * c)) - b) / (2 * a);
  const double variance = counts.n * (2 * gained + loss * (1 - loss));
  const double distance = counts.lost - counts.gained - counts.n * loss;
  if (variance > 0) return distance / std::sqrt(variance);
  return distance == 0 ? 0 : std::copysign(40.0, distance);  // 40: beyond every double's normal tail
}

double loss_inside_p(const PairedCounts& counts, double limit) {
  if (limit >= 1) return 0;
  if (limit < 0) return loss_beyond_p({counts.n, counts.gained, counts.lost}, -limit);
  const double score = normal_cdf(tango_z(counts, limit));
  return std::max(score, binomial_at_most(counts.lost - counts.gained, counts.n, limit));
}

double loss_beyond_p(const PairedCounts& counts, double limit) {
  if (limit >= 1) return 1;
  if (limit < 0) return loss_inside_p({counts.n, counts.gained, counts.lost}, -limit);
  const double score = normal_cdf(-tango_z(counts, limit));
  const double net = counts.lost - counts.gained;
  return net <= 0 ? std::max(score, 0.5) : std::max(score, binomial_at_least(net, counts.n, limit));
}

double loss_upper(const PairedCounts& counts, double level) {
  if (!(counts.n > 0)) return 1;
  return solve_increasing([&](double limit) { return (1 - level) - loss_inside_p(counts, limit); }, -1, 1);
}

double loss_lower(const PairedCounts& counts, double level) {
  return -loss_upper({counts.n, counts.gained, counts.lost}, level);
}

Interval loss_interval(const PairedCounts& counts, double level) {
  const double each = 1 - (1 - level) / 2;
  return {loss_lower(counts, each), loss_upper(counts, each)};
}

double mcnemar_mid_p(double lost, double gained) {
  const double n = lost + gained;
  if (!(n > 0)) return 1;
  const double low = std::min(lost, gained);
  // Twice the tail, counting the observed outcome half.
  return std::min(1.0, binomial_at_most(low, n, 0.5) + (low > 0 ? binomial_at_most(low - 1, n, 0.5) : 0));
}

std::vector<double> holm_adjusted(std::span<const double> p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return p_values[i] < p_values[j]; });
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = p_values[order[rank]] * static_cast<double>(order.size() - rank);
    largest = std::max(largest, std::min(1.0, scaled));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

}  // namespace halftone
