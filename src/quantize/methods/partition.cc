// SPDX-License-Identifier: Apache-2.0
// Exact k-means in one dimension: clusters of sorted values are runs, so the best ones are a shortest path of k steps.
//   Wu: Optimal quantization by matrix searching, J. Algorithms 12 (1991); Grønlund, Larsen, Mathiasen, Nielsen,
//   Schneider, Song: Fast exact k-means, k-medians and Bregman divergence clustering in 1D, arXiv:1701.07204 (2017).
// With a price for every step the path of any number of steps is found at once; at the right price it has k. Where the
// number jumps over k, a path of fewer and one of more steps, both best at that price, are joined:
//   Aggarwal, Schieber, Tokuyama: Finding a minimum-weight k-link path in graphs with the concave Monge property
//   (1994).
#include "quantize/methods/partition.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/rng.h"

namespace halftone {
namespace {

// Best paths to every place at one price per step. Costs obey the quadrangle inequality: once a later place is the
// better one to come from, it stays so; the candidates lie in a queue with the first place that each is best for.
class PricedPaths {
 public:
  explicit PricedPaths(const Population& population)
      : population_(population),
        size_(population.size()),
        total_(static_cast<size_t>(size_ + 1)),
        from_(static_cast<size_t>(size_ + 1)) {}

  Partition best(double price) {
    queue_.assign(1, {0, 1});
    size_t head = 0;
    total_[0] = 0;
    for (int64_t to = 1; to <= size_; ++to) {
      while (head + 1 < queue_.size() && queue_[head + 1].first <= to) ++head;
      from_[static_cast<size_t>(to)] = queue_[head].from;
      total_[static_cast<size_t>(to)] = through(queue_[head].from, to) + price;
      add_candidate(to, head);
    }
    Partition partition;
    for (int64_t at = size_; at > 0; at = from_[static_cast<size_t>(at)]) partition.ends.push_back(at);
    partition.ends.push_back(0);
    std::reverse(partition.ends.begin(), partition.ends.end());
    return partition;
  }

 private:
  struct Origin {
    int64_t from, first;
  };

  double through(int64_t from, int64_t to) const {
    return total_[static_cast<size_t>(from)] + population_.cost(from, to);
  }
  bool better(int64_t from, int64_t than, int64_t to) const { return through(from, to) < through(than, to); }

  void add_candidate(int64_t from, size_t head) {
    if (from == size_ || !better(from, queue_.back().from, size_)) return;
    int64_t low = std::max(queue_.back().first, from + 1);
    while (queue_.size() > head + 1 && better(from, queue_.back().from, low)) {
      queue_.pop_back();
      low = std::max(queue_.back().first, from + 1);
    }
    const int64_t than = queue_.back().from;
    if (better(from, than, low)) {  // the last one left
      queue_.back() = {from, low};
      return;
    }
    int64_t high = low, step = 1;  // not yet better at low; better at high after this
    do {
      low = high;
      high = std::min(size_, high + step);
      step *= 2;
    } while (high < size_ && !better(from, than, high));
    while (low + 1 < high) {
      const int64_t middle = low + (high - low) / 2;
      (better(from, than, middle) ? high : low) = middle;
    }
    queue_.push_back({from, high});
  }

  const Population& population_;
  int64_t size_;
  std::vector<double> total_;
  std::vector<int64_t> from_;
  std::vector<Origin> queue_;
};

// Both are best at one price, few has fewer than `clusters` and many has more: somewhere a step of few spans one of
// many that is `more` steps further on; from there on, the path of few ends that of many.
Partition join_paths(const Partition& few, const Partition& many, int64_t clusters) {
  const int64_t more = clusters - few.clusters();
  for (int64_t i = 0; i < few.clusters(); ++i) {
    const auto at = static_cast<size_t>(i), further = static_cast<size_t>(i + more);
    if (few.ends[at] > many.ends[further] || few.ends[at + 1] < many.ends[further + 1]) continue;
    Partition joined;
    joined.ends.assign(many.ends.begin(), many.ends.begin() + static_cast<int64_t>(further) + 1);
    joined.ends.insert(joined.ends.end(), few.ends.begin() + i + 1, few.ends.end());
    return joined;
  }
  HALFTONE_CHECK(false);
}

Partition every_value(int64_t size) {
  Partition partition;
  for (int64_t i = 0; i <= size; ++i) partition.ends.push_back(i);
  return partition;
}

}  // namespace

double Partition::cost(const Population& population) const {
  double sum = 0;
  for (size_t i = 0; i + 1 < ends.size(); ++i) sum += population.cost(ends[i], ends[i + 1]);
  return sum;
}

Partition optimal_partition(const Population& population, int64_t clusters) {
  const int64_t size = population.size();
  HALFTONE_CHECK(size > 0 && clusters > 0);
  if (clusters >= size) return every_value(size);
  Partition few, many = every_value(size);
  few.ends = {0, size};
  if (clusters == 1) return few;
  PricedPaths paths(population);
  const double whole = population.cost(0, size), k = static_cast<double>(clusters);
  double low = 0, high = whole;            // prices of many and few
  double price = 5 * whole / (k * k * k);  // of about normal values: the error falls as 2.7 / k^2 does
  for (int tries = 0; tries < 200; ++tries) {
    if (!(price > low && price < high)) price = low + (high - low) / 2;
    if (!(price > low && price < high)) break;  // neighbours: ties
    const Partition found = paths.best(price);
    if (found.clusters() == clusters) return found;
    const double ratio = static_cast<double>(found.clusters()) / k;
    if (found.clusters() < clusters) {
      few = found;
      high = price;
    } else {
      many = found;
      low = price;
    }
    // The number falls as the cube root of the price; where that guess has not led to an end soon, halves do.
    price = tries < 12 ? price * ratio * ratio * ratio : low + (high - low) / 2;
  }
  return join_paths(few, many, clusters);
}

Partition lloyd_partition(const Population& population, int64_t clusters, uint64_t seed) {
  const int64_t size = population.size();
  HALFTONE_CHECK(size > 0 && clusters > 0);
  if (clusters >= size) return every_value(size);
  Rng rng(seed);
  std::vector<double> centres, far(static_cast<size_t>(size), std::numeric_limits<double>::infinity());
  double total = population.count(0, size);
  for (int64_t c = 0; c < clusters; ++c) {  // each value with the chance of its squared distance
    double left = rng.uniform() * total;
    int64_t chosen = size - 1;
    for (int64_t i = 0; i < size && left >= 0; ++i) {
      left -= (c == 0 ? 1.0 : far[static_cast<size_t>(i)]) * population.count(i, i + 1);
      if (left < 0) chosen = i;
    }
    centres.push_back(population.value(chosen));
    total = 0;
    for (int64_t i = 0; i < size; ++i) {
      const double off = population.value(i) - centres.back();
      double& nearest = far[static_cast<size_t>(i)];
      nearest = std::min(nearest, off * off);
      total += nearest * population.count(i, i + 1);
    }
  }
  Partition partition;
  for (int round = 0; round < 300; ++round) {
    std::sort(centres.begin(), centres.end());
    Partition next;
    next.ends.push_back(0);
    for (size_t c = 0; c + 1 < centres.size(); ++c) {
      const int64_t end = population.count_up_to((centres[c] + centres[c + 1]) / 2);
      if (end > next.ends.back() && end < size) next.ends.push_back(end);
    }
    next.ends.push_back(size);
    if (next.ends == partition.ends) break;
    partition = std::move(next);
    centres.clear();
    for (size_t c = 0; c + 1 < partition.ends.size(); ++c)
      centres.push_back(population.mean(partition.ends[c], partition.ends[c + 1]));
  }
  return partition;
}

}  // namespace halftone
