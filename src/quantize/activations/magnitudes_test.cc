// SPDX-License-Identifier: Apache-2.0
#include "quantize/activations/magnitudes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/rng.h"

namespace halftone {
namespace {

enum class Spread { normal, uniform, outliers, constant };

std::vector<float> drawn(Spread shape, int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    const double normal = rng.normal();
    const double value = shape == Spread::uniform    ? rng.uniform() - 0.5
                         : shape == Spread::constant ? -0.7
                         : shape == Spread::outliers ? (i % 400 == 7 ? 60 * normal : normal)
                                                     : normal;
    values.push_back(static_cast<float>(value));
  }
  return values;
}

Magnitudes counted(const std::vector<float>& values, int threads = 2) {
  ThreadPool pool(threads);
  Magnitudes magnitudes;
  magnitudes.add(values, pool);
  return magnitudes;
}

std::vector<float> sorted_magnitudes(std::vector<float> values) {
  for (float& value : values) value = std::fabs(value);
  std::sort(values.begin(), values.end());
  return values;
}

// Mean squared error of rounding to `levels` steps on each side of zero, one value at a time.
double plain_error(const std::vector<float>& values, double border, double levels) {
  double sum = 0;
  const double step = border / levels;
  for (const float value : values) {
    const double code = std::clamp(std::nearbyint(static_cast<double>(value) / step), -levels, levels);
    sum += std::pow(static_cast<double>(value) - code * step, 2);
  }
  return sum / static_cast<double>(values.size());
}

TEST(Magnitudes, PercentilesAreThoseOfSorting) {
  for (const Spread shape : {Spread::normal, Spread::uniform, Spread::outliers, Spread::constant}) {
    const std::vector<float> values = drawn(shape, 20'000, 7), sorted = sorted_magnitudes(values);
    const Magnitudes magnitudes = counted(values);
    EXPECT_EQ(magnitudes.largest(), sorted.back());
    for (const double percent : {50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
      const auto wanted = static_cast<size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())));
      const float exact = sorted[wanted - 1], got = magnitudes.percentile(percent);
      EXPECT_GE(got, exact) << percent;
      EXPECT_LE(got, exact * (1 + 1.0f / 2048)) << percent;
      EXPECT_LE(got, sorted.back());
    }
  }
}

// All borders from a hundredth of the largest value up, far denser than those that are tried.
TEST(Magnitudes, TheBestBorderIsAsGoodAsThatOfBruteForce) {
  for (const float levels : {127.0f, 32767.0f, 7.0f}) {
    for (const Spread shape : {Spread::normal, Spread::uniform, Spread::outliers}) {
      const std::vector<float> values = drawn(shape, 4000, 11);
      const Magnitudes magnitudes = counted(values);
      const double largest = static_cast<double>(magnitudes.largest());
      double least = plain_error(values, largest, static_cast<double>(levels));
      for (int i = 10; i < 1000; ++i)
        least = std::min(least, plain_error(values, largest * i / 1000, static_cast<double>(levels)));
      const double border = static_cast<double>(magnitudes.best_border(levels));
      EXPECT_LE(plain_error(values, border, static_cast<double>(levels)), 1.02 * least)
          << levels << ' ' << static_cast<int>(shape);
      EXPECT_NEAR(magnitudes.squared_error(border, static_cast<double>(levels)) /
                      plain_error(values, border, static_cast<double>(levels)),
                  1, 0.05);
    }
  }
}

TEST(Magnitudes, OutliersAreCutAtEightBitsAndKeptAtSixteen) {
  const std::vector<float> values = drawn(Spread::outliers, 40'000, 3);
  const Magnitudes magnitudes = counted(values);
  EXPECT_LT(magnitudes.best_border(127), 0.9f * magnitudes.largest());
  EXPECT_EQ(magnitudes.best_border(32767), magnitudes.largest());
}

TEST(Magnitudes, DoNotDependOnThreadsOrPieces) {
  const std::vector<float> values = drawn(Spread::outliers, 3'000'000, 5);
  const Magnitudes one = counted(values, 1), three = counted(values, 3);
  ThreadPool pool(2);
  Magnitudes pieces;
  for (size_t at = 0; at < values.size(); at += 700'001)
    pieces.add(std::span(values).subspan(at, std::min<size_t>(700'001, values.size() - at)), pool);
  for (const Magnitudes* other : {&three, static_cast<const Magnitudes*>(&pieces)}) {
    EXPECT_EQ(other->count(), one.count());
    EXPECT_EQ(other->best_border(127), one.best_border(127));
    EXPECT_EQ(other->percentile(99.9), one.percentile(99.9));
    EXPECT_EQ(other->second_moment(), one.second_moment());
  }
  double plain = 0;
  for (const float value : values) plain += static_cast<double>(value) * static_cast<double>(value);
  EXPECT_NEAR(one.second_moment() / (plain / 3e6), 1, 1e-3);
}

TEST(Magnitudes, SeesWhatIsNotFinite) {
  EXPECT_TRUE(counted({1.0f, -2.0f}).is_finite());
  EXPECT_FALSE(counted({1.0f, -std::numeric_limits<float>::infinity()}).is_finite());
  EXPECT_FALSE(counted({std::numeric_limits<float>::quiet_NaN(), 1.0f}).is_finite());
  EXPECT_EQ(counted({0.0f, -0.0f}).percentile(99), 0.0f);
  EXPECT_EQ(counted({0.0f, 0.0f}).best_border(127), 0.0f);
}

}  // namespace
}  // namespace halftone
