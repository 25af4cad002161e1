// SPDX-License-Identifier: Apache-2.0
#include "metrics/retrieval.h"

#include <gtest/gtest.h>

#include <cmath>

namespace halftone {
namespace {

using Indices = std::vector<int64_t>;

TEST(Retrieval, NearestRowsAreByCosineAndTiesByIndex) {
  const std::vector<float> corpus = {1, 0, 0, 1, 2, 2, 5, 5, -1, 0};
  const std::vector<float> query = {1, 1};
  const Embeddings rows{corpus, 2};
  EXPECT_EQ(nearest_rows(rows, query, 3), (Indices{2, 3, 0}));
  EXPECT_EQ(nearest_rows(rows, query, 3, 2), (Indices{3, 0, 1}));
  EXPECT_EQ(nearest_rows(rows, query, 99).size(), 5U);
  EXPECT_EQ(nearest_rows(rows, query, 0), Indices{});
}

TEST(Retrieval, GainFallsWithTheRank) {
  const Indices relevant = {4, 7};
  EXPECT_DOUBLE_EQ(ndcg_of(Indices{4, 7, 1}, relevant), 1);
  EXPECT_DOUBLE_EQ(ndcg_of(Indices{1, 2, 3}, relevant), 0);
  EXPECT_DOUBLE_EQ(ndcg_of(Indices{1, 4}, relevant), (1 / std::log2(3.0)) / (1 + 1 / std::log2(3.0)));
}

TEST(Retrieval, NeighboursThatFlipped) {
  EXPECT_DOUBLE_EQ(flipped_share(Indices{1, 2, 3, 4}, Indices{4, 3, 2, 1}), 0);
  EXPECT_DOUBLE_EQ(flipped_share(Indices{1, 2, 3, 4}, Indices{1, 9, 8, 7}), 0.75);
}

TEST(Retrieval, RankCorrelationSharesTies) {
  const std::vector<double> rising = {1, 2, 3, 4}, falling = {9, 7, 1, 0}, constant = {5, 5, 5, 5}, tied = {1, 2, 2, 3};
  EXPECT_DOUBLE_EQ(rank_correlation(rising, rising), 1);
  EXPECT_DOUBLE_EQ(rank_correlation(rising, falling), -1);
  EXPECT_DOUBLE_EQ(rank_correlation(rising, constant), 0);
  EXPECT_NEAR(rank_correlation(rising, tied), 4.5 / std::sqrt(5 * 4.5), 1e-15);  // ranks 1, 2.5, 2.5, 4
}

}  // namespace
}  // namespace halftone
