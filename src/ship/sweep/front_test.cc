// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/front.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace halftone {
namespace {

Trade trade(double bits, double loss) { return {static_cast<int64_t>(bits * 1000), bits, loss}; }

// Points on a chain of straight pieces in (bits, log loss), one bit apart, from 8 bits down.
std::vector<Trade> chain(const std::vector<double>& factors) {
  std::vector<Trade> points = {trade(8, 1e-4)};
  for (const double factor : factors) points.push_back(trade(points.back().bits - 1, points.back().loss * factor));
  return points;
}

TEST(SweepFront, HasWhatNothingBeats) {
  Rng rng(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<Trade> points;
    for (int i = 0; i < 12; ++i)  // few values: ties are common
      points.push_back(trade(static_cast<double>(rng.below(6) + 1), 0.001 * static_cast<double>(rng.below(6))));
    std::vector<std::pair<int64_t, double>> expected;
    for (const Trade& one : points) {
      const bool beaten = std::any_of(points.begin(), points.end(), [&](const Trade& other) {
        return other.bytes <= one.bytes && other.loss <= one.loss && (other.bytes < one.bytes || other.loss < one.loss);
      });
      if (!beaten) expected.emplace_back(-one.bytes, one.loss);
    }
    std::sort(expected.begin(), expected.end());
    expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
    std::vector<std::pair<int64_t, double>> found;
    for (const size_t index : pareto_front(points)) found.emplace_back(-points[index].bytes, points[index].loss);
    EXPECT_EQ(found, expected);
  }
  EXPECT_TRUE(pareto_front({}).empty());
}

TEST(SweepKnee, IsWhereTheSlopeChangesMost) {
  const auto knee = find_knee(chain({3, 3.5, 4, 20, 30}));
  ASSERT_TRUE(knee.has_value());
  EXPECT_EQ(knee->at, 3u);
  EXPECT_EQ(knee->beyond, 4u);
  EXPECT_NEAR(knee->before, 4, 1e-9);
  EXPECT_NEAR(knee->after, 20, 1e-9);
}

TEST(SweepKnee, AStraightLineHasNone) {
  EXPECT_FALSE(find_knee(chain({4, 4, 4, 4, 4})).has_value());
  EXPECT_FALSE(find_knee(chain({4, 4.2, 4.4, 5, 6})).has_value());  // bends by less than a half anywhere
  EXPECT_FALSE(find_knee(chain({40})).has_value());
  EXPECT_FALSE(find_knee({}).has_value());
  // A fall that flattens is no knee: there the cheaper point is the better trade.
  EXPECT_FALSE(find_knee(chain({20, 3})).has_value());
}

// Whatever lies above the envelope, near or far, before or after, moves nothing.
TEST(SweepKnee, DoesNotSeeWhatIsAboveTheEnvelope) {
  Rng rng(11);
  for (int round = 0; round < 100; ++round) {
    std::vector<double> factors = {2 + rng.uniform()};
    const size_t corner = 1 + rng.below(3);
    for (size_t i = 1; i < 5; ++i) factors.push_back(factors.back() * (i == corner ? 4 : 1.05 + 0.2 * rng.uniform()));
    const std::vector<Trade> base = chain(factors);
    std::vector<Trade> points = base;
    for (int i = 0; i < 40; ++i) {
      const size_t piece = rng.below(5);
      const double part = rng.uniform();
      const double log_loss = std::log(base[piece].loss) + part * std::log(factors[piece]);
      points.push_back(
          trade(base[piece].bits - part, std::exp(log_loss + 1e-6 + (i % 2 == 0 ? 0.003 : 2) * rng.uniform())));
    }
    const auto knee = find_knee(points);
    ASSERT_TRUE(knee.has_value());
    EXPECT_EQ(knee->at, corner);
    EXPECT_EQ(knee->beyond, corner + 1);
  }
}

TEST(SweepKnee, ALossOfZeroCountsAsLittle) {
  std::vector<Trade> points = chain({3, 3, 30});
  points.push_back(trade(16, 0));
  const auto knee = find_knee(points);
  ASSERT_TRUE(knee.has_value());
  EXPECT_EQ(points[knee->at].bits, 6);
}

}  // namespace
}  // namespace halftone
