// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/front.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace halftone {
namespace {

struct Corner {
  size_t index;
  double bits, log_loss;
};

// Logarithm of the loss gained per bit saved.
double slope(const Corner& from, const Corner& to) { return (to.log_loss - from.log_loss) / (from.bits - to.bits); }

// The front from below, from most bits to fewest: slopes rise from corner to corner.
std::vector<Corner> envelope_of(std::span<const Trade> points) {
  std::vector<Corner> corners;
  for (const size_t index : pareto_front(points)) {
    const Corner next{index, points[index].bits, std::log(std::max(points[index].loss, kLeastLoss))};
    if (!corners.empty() && !(next.bits < corners.back().bits)) continue;  // fewer bytes by padding alone
    while (corners.size() > 1 && slope(corners[corners.size() - 2], corners.back()) >= slope(corners.back(), next))
      corners.pop_back();
    corners.push_back(next);
  }
  return corners;
}

}  // namespace

std::vector<size_t> pareto_front(std::span<const Trade> points) {
  std::vector<size_t> order(points.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return points[a].bytes != points[b].bytes ? points[a].bytes < points[b].bytes : points[a].loss < points[b].loss;
  });
  std::vector<size_t> front;
  for (const size_t index : order)
    if (front.empty() || points[index].loss < points[front.back()].loss) front.push_back(index);
  std::reverse(front.begin(), front.end());
  return front;
}

std::optional<Knee> find_knee(std::span<const Trade> points) {
  const std::vector<Corner> corners = envelope_of(points);
  std::optional<Knee> knee;
  double most = std::log(kKneeFactor);
  for (size_t i = 1; i + 1 < corners.size(); ++i) {
    const double before = slope(corners[i - 1], corners[i]), after = slope(corners[i], corners[i + 1]);
    if (after - before < most) continue;
    most = after - before;
    knee = Knee{corners[i].index, corners[i + 1].index, std::exp(before), std::exp(after)};
  }
  return knee;
}

}  // namespace halftone
