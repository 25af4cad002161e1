// SPDX-License-Identifier: Apache-2.0
// How well embeddings find what belongs to a query, and whether two models find the same (recall: metrics/vectors.h).
// Ranks are by cosine, ties by index.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace halftone {

// Rows of equal width. REQUIRES: values.size() is a multiple of width, width > 0.
struct Embeddings {
  std::span<const float> values;  // (rows, width)
  int64_t width;
  int64_t rows() const { return static_cast<int64_t>(values.size()) / width; }
  std::span<const float> row(int64_t i) const {
    return values.subspan(static_cast<size_t>(i * width), static_cast<size_t>(width));
  }
};

// Indices of the k rows of `corpus` nearest to `query`, nearest first. `skip`: an index
// that is left out (the query itself); -1: none.
std::vector<int64_t> nearest_rows(const Embeddings& corpus, std::span<const float> query, int64_t k, int64_t skip = -1);

// Normalised discounted cumulative gain with gains of 0 and 1 (Järvelin and Kekäläinen, TOIS 20, 2002): gains at rank r
// count 1 / log2(r + 1), over what the best order of as many would give. REQUIRES: relevant is not empty.
double ndcg_of(std::span<const int64_t> found, std::span<const int64_t> relevant);
// Share of `a` that is not in `b`: neighbours that flipped. REQUIRES: a is not empty.
double flipped_share(std::span<const int64_t> a, std::span<const int64_t> b);

// Spearman's rank correlation of two lists, ties at their mean rank (semantic textual similarity). 0 where one list is
// constant. REQUIRES: as many of both, at least 2.
double rank_correlation(std::span<const double> a, std::span<const double> b);

}  // namespace halftone
