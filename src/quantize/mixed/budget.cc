// SPDX-License-Identifier: Apache-2.0
#include "quantize/mixed/budget.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace halftone {
namespace {

using Options = std::vector<BudgetOption>;

bool fewer_bytes(const BudgetOption& a, const BudgetOption& b) { return a.bytes < b.bytes; }
bool costs_less(const BudgetOption& a, const BudgetOption& b) { return a.cost < b.cost; }

// From one corner of an item's lower convex hull to the next.
struct HullStep {
  size_t item;
  int64_t bytes;
  double saved;
  double rate() const { return saved / static_cast<double>(bytes); }
};

// Steps of falling rate, from the least bytes to the least cost.
void add_hull(size_t item, Options options, std::vector<HullStep>& steps) {
  std::sort(options.begin(), options.end(),
            [](const auto& a, const auto& b) { return std::tie(a.bytes, a.cost) < std::tie(b.bytes, b.cost); });
  std::vector<HullStep> mine;
  BudgetOption last = options[0];
  for (const BudgetOption& next : options) {
    if (next.cost >= last.cost) continue;
    HullStep step{item, next.bytes - last.bytes, last.cost - next.cost};
    while (!mine.empty() && mine.back().rate() <= step.rate()) {
      step = {item, step.bytes + mine.back().bytes, step.saved + mine.back().saved};
      mine.pop_back();
    }
    mine.push_back(step);
    last = next;
  }
  steps.insert(steps.end(), mine.begin(), mine.end());
}

// Where options are divisible: the price of a byte at the budget, and what whole steps alone reach.
struct Relaxed {
  double price = 0, reached = 0;
};
Relaxed relax(const BudgetItems& items, int64_t budget) {
  std::vector<HullStep> steps;
  Relaxed result;
  int64_t bytes = 0;
  for (size_t item = 0; item < items.size(); ++item) {
    const Options& options = items[item];
    const BudgetOption least = *std::min_element(options.begin(), options.end(), [](const auto& a, const auto& b) {
      return std::tie(a.bytes, a.cost) < std::tie(b.bytes, b.cost);
    });
    bytes += least.bytes;
    result.reached += least.cost;
    add_hull(item, options, steps);
  }
  std::stable_sort(steps.begin(), steps.end(), [](const auto& a, const auto& b) { return a.rate() > b.rate(); });
  std::vector<bool> stopped(items.size(), false);  // a step did not fit, so those after it do not follow
  for (const HullStep& step : steps) {
    if (stopped[step.item]) continue;
    if (bytes + step.bytes > budget) {
      if (result.price == 0) result.price = step.rate();
      stopped[step.item] = true;
      continue;
    }
    bytes += step.bytes;
    result.reached -= step.saved;
  }
  return result;
}

struct Point {
  int64_t bytes;
  double cost;
  uint32_t parent, option;
};

// What items from each one on take at least.
struct Suffix {
  std::vector<int64_t> bytes;
  std::vector<double> priced;  // of cost + price * bytes

  Suffix(const BudgetItems& items, double price) : bytes(items.size() + 1), priced(items.size() + 1) {
    for (size_t i = items.size(); i-- > 0;) {
      double least = std::numeric_limits<double>::infinity();
      for (const BudgetOption& one : items[i])
        least = std::min(least, one.cost + price * static_cast<double>(one.bytes));
      bytes[i] = bytes[i + 1] + std::min_element(items[i].begin(), items[i].end(), fewer_bytes)->bytes;
      priced[i] = priced[i + 1] + least;
    }
  }
};

std::vector<Point> undominated(std::vector<Point> points) {
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return std::tie(a.bytes, a.cost, a.option, a.parent) < std::tie(b.bytes, b.cost, b.option, b.parent);
  });
  double best = std::numeric_limits<double>::infinity();
  std::erase_if(points, [&](const Point& point) {
    if (point.cost >= best) return true;
    best = point.cost;
    return false;
  });
  return points;
}

BudgetChoice trace(const std::vector<std::vector<Point>>& stages, size_t last) {
  const Point* point = &stages.back()[last];
  BudgetChoice choice{std::vector<size_t>(stages.size() - 1), point->bytes, point->cost};
  for (size_t stage = stages.size() - 1; stage > 0; --stage) {
    choice.options[stage - 1] = point->option;
    point = &stages[stage - 1][point->parent];
  }
  return choice;
}

}  // namespace

int64_t fewest_bytes(const BudgetItems& items) {
  int64_t bytes = 0;
  for (const Options& options : items) bytes += std::min_element(options.begin(), options.end(), fewer_bytes)->bytes;
  return bytes;
}

int64_t most_bytes(const BudgetItems& items) {
  int64_t bytes = 0;
  for (const Options& options : items) bytes += std::max_element(options.begin(), options.end(), fewer_bytes)->bytes;
  return bytes;
}

BudgetSolution solve_budget(const BudgetItems& items, int64_t budget, size_t count, double slack) {
  BudgetSolution solution;
  if (fewest_bytes(items) > budget) return solution;
  const Relaxed relaxed = relax(items, budget);
  solution.price = relaxed.price;
  const Suffix suffix(items, relaxed.price);
  double size = std::fabs(relaxed.reached);  // rounding is relative to it
  for (const Options& options : items)
    size += std::fabs(std::max_element(options.begin(), options.end(), costs_less)->cost);
  const double most = relaxed.reached + slack * std::fabs(relaxed.reached) + 1e-12 * size;
  std::vector<std::vector<Point>> stages = {{Point{0, 0, 0, 0}}};
  for (size_t i = 0; i < items.size(); ++i) {
    std::vector<Point> next;
    for (uint32_t parent = 0; parent < stages[i].size(); ++parent)
      for (uint32_t option = 0; option < items[i].size(); ++option) {
        const int64_t bytes = stages[i][parent].bytes + items[i][option].bytes;
        const double cost = stages[i][parent].cost + items[i][option].cost;
        const double bound = cost + suffix.priced[i + 1] - relaxed.price * static_cast<double>(budget - bytes);
        if (bytes + suffix.bytes[i + 1] <= budget && bound <= most) next.push_back({bytes, cost, parent, option});
      }
    stages.push_back(undominated(std::move(next)));
  }
  const std::vector<Point>& front = stages.back();
  for (size_t i = front.size(); i > 0 && solution.choices.size() < count; --i) {
    if (i < front.size() && front[i - 1].cost > front.back().cost + slack * std::fabs(front.back().cost)) break;
    solution.choices.push_back(trace(stages, i - 1));
  }
  return solution;
}

}  // namespace halftone
