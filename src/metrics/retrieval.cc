// SPDX-License-Identifier: Apache-2.0
#include "metrics/retrieval.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "metrics/vectors.h"

namespace halftone {
namespace {

bool contains(std::span<const int64_t> list, int64_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// Ranks from 1, equal values share their mean.
std::vector<double> ranks_of(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + 1 + end) / 2;
    begin = end;
  }
  return ranks;
}

}  // namespace

std::vector<int64_t> nearest_rows(const Embeddings& corpus, std::span<const float> query, int64_t k, int64_t skip) {
  HALFTONE_CHECK(static_cast<int64_t>(query.size()) == corpus.width);
  std::vector<std::pair<double, int64_t>> scored;
  for (int64_t i = 0; i < corpus.rows(); ++i)
    if (i != skip) scored.emplace_back(-cosine(corpus.row(i), query), i);
  const auto wanted = std::min(static_cast<size_t>(std::max<int64_t>(k, 0)), scored.size());
  std::partial_sort(scored.begin(), scored.begin() + static_cast<std::ptrdiff_t>(wanted), scored.end());
  std::vector<int64_t> found;
  for (size_t i = 0; i < wanted; ++i) found.push_back(scored[i].second);
  return found;
}

double ndcg_of(std::span<const int64_t> found, std::span<const int64_t> relevant) {
  HALFTONE_CHECK(!relevant.empty());
  double gain = 0, best = 0;
  for (size_t rank = 0; rank < found.size(); ++rank) {
    const double worth = 1 / std::log2(static_cast<double>(rank) + 2);
    if (contains(relevant, found[rank])) gain += worth;
    if (rank < relevant.size()) best += worth;
  }
  return best == 0 ? 0 : gain / best;
}

double flipped_share(std::span<const int64_t> a, std::span<const int64_t> b) {
  HALFTONE_CHECK(!a.empty());
  return 1 - recall_at_k(b, a, static_cast<int64_t>(b.size()));
}

double rank_correlation(std::span<const double> a, std::span<const double> b) {
  HALFTONE_CHECK(a.size() == b.size() && a.size() >= 2);
  const std::vector<double> x = ranks_of(a), y = ranks_of(b);
  const double mean = (static_cast<double>(a.size()) + 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx == 0 || yy == 0 ? 0 : xy / std::sqrt(xx * yy);
}

}  // namespace halftone
