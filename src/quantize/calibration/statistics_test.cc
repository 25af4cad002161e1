// SPDX-License-Identifier: Apache-2.0
#include "quantize/calibration/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"

namespace halftone {
namespace {

std::vector<float> normal_values(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

TEST(ChannelStatistics, AreThoseOfTheColumns) {
  ChannelStatistics statistics(3);
  EXPECT_EQ(statistics.mean(), std::vector<float>(3));
  statistics.add(std::vector<float>{1, -2, 0});
  statistics.add(std::vector<float>{3, -4, 0.5f, 5, 0, 1});
  EXPECT_EQ(statistics.tokens(), 3);
  EXPECT_EQ(statistics.minimum(), (std::vector<float>{1, -4, 0}));
  EXPECT_EQ(statistics.maximum(), (std::vector<float>{5, 0, 1}));
  EXPECT_EQ(statistics.mean(), (std::vector<float>{3, -2, 0.5f}));
  EXPECT_EQ(statistics.second_moment(), (std::vector<float>{35 / 3.0f, 20 / 3.0f, 1.25f / 3.0f}));
  EXPECT_TRUE(statistics.check_finite("q_proj").ok());
}

TEST(ChannelStatistics, NameTheColumnThatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    ChannelStatistics statistics(2);
    statistics.add(std::vector<float>{1, 2, 3, bad, 5, 6});
    const Status status = statistics.check_finite("layers.0.q_proj");
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.message().find("layers.0.q_proj: expected finite inputs"), std::string_view::npos);
    EXPECT_NE(status.message().find("in column 1"), std::string_view::npos);
  }
}

TEST(HessianSum, IsTheMeanOfOuterProducts) {
  constexpr int64_t kColumns = 37, kTokens = 1500;  // more than one stretch, and no whole panel
  const std::vector<float> x = normal_values(kColumns * kTokens, 3);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    auto products = Products::create(pool);
    ASSERT_TRUE(products.ok());
    HessianSum sum(kColumns);
    sum.add(x.data(), 1400, *products);
    sum.add(x.data() + 1400 * kColumns, 100, *products);
    EXPECT_EQ(sum.tokens(), kTokens);
    results.push_back(sum.take_mean());
  }
  EXPECT_EQ(results[0], results[1]);
  for (int64_t i = 0; i < kColumns; ++i) {
    for (int64_t j = 0; j < kColumns; ++j) {
      double expected = 0;
      for (int64_t t = 0; t < kTokens; ++t)
        expected += static_cast<double>(x[static_cast<size_t>(t * kColumns + i)]) *
                    static_cast<double>(x[static_cast<size_t>(t * kColumns + j)]);
      const float got = results[0][static_cast<size_t>(i * kColumns + j)];
      EXPECT_NEAR(static_cast<double>(got), expected / kTokens, 1e-5) << i << " " << j;
      EXPECT_EQ(got, results[0][static_cast<size_t>(j * kColumns + i)]);
    }
  }
}

TEST(HessianSum, OfNothingIsZero) { EXPECT_EQ(HessianSum(4).take_mean(), std::vector<float>(16)); }

}  // namespace
}  // namespace halftone
