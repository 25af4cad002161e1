// SPDX-License-Identifier: Apache-2.0
#include "tensor/static_range.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"

namespace halftone {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(StaticRange, RoundsToTheGridAndCutsBeyondIt) {
  Rng rng(5);
  for (const StaticRange range : {StaticRange{8, 0.01f}, {8, 3.0f}, {16, 1e-4f}, {16, 1e-37f}, {16, 0.037f}}) {
    const float largest = range.bits == 8 ? 127.0f : 32767.0f;
    EXPECT_EQ(range.largest(), largest);
    std::vector<float> x, got;
    for (int i = 0; i < 5000; ++i) x.push_back(static_cast<float>(rng.normal()));
    for (const float step : {0.5f, 1.5f, 2.5f, -0.5f, 126.5f, 127.5f, 200.0f, -127.6f, 32766.5f, -32768.0f})
      x.push_back(step * range.scale);
    x.push_back(0);
    x.push_back(std::numeric_limits<float>::max());
    got.resize(x.size());
    round_to_range(x.data(), static_cast<int64_t>(x.size()), range, got.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const float want = std::clamp(std::nearbyint(x[i] / range.scale), -largest, largest) * range.scale;
      ASSERT_EQ(got[i], want) << x[i];
      if (std::fabs(x[i]) > range.border()) continue;
      ASSERT_LE(std::fabs(got[i] - x[i]), range.scale * 0.51f) << x[i];
    }
  }
}

TEST(StaticRange, WhatIsNoNumberStaysVisible) {
  const std::vector<float> x = {1, kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()};
  std::vector<float> got(x.size());
  round_to_range(x.data(), 4, {8, 0.5f}, got.data());
  EXPECT_EQ(got[0], 1.0f);
  for (size_t i = 1; i < 4; ++i) EXPECT_TRUE(std::isnan(got[i])) << i;
}

TEST(StaticRange, MakesSense) {
  EXPECT_FALSE(StaticRange().exists());
  EXPECT_FALSE(StaticRange().makes_sense());
  EXPECT_TRUE((StaticRange{8, 1e-37f}).makes_sense());
  EXPECT_TRUE((StaticRange{16, 5.0f}).makes_sense());
  for (const float scale : {0.0f, -1.0f, 1e-40f, kInfinity, std::numeric_limits<float>::quiet_NaN()})
    EXPECT_FALSE((StaticRange{8, scale}).makes_sense()) << scale;
  EXPECT_FALSE((StaticRange{4, 1.0f}).makes_sense());
}

}  // namespace
}  // namespace halftone
