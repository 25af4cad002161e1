// SPDX-License-Identifier: Apache-2.0
#include "models/pictures/shifts.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "models/pictures/pictures.h"

namespace halftone {
namespace {

Picture flat(int64_t side, uint8_t value) {
  return {side, side, 3, std::vector<uint8_t>(static_cast<size_t>(side * side * 3), value)};
}

TEST(Shifts, NoiseHasItsDeviationAndFollowsFromTheSeed) {
  const Picture grey = flat(64, 128);
  const Picture a = shifted(grey, Shift::noise, 1);
  double sum = 0, squares = 0;
  for (const uint8_t pixel : a.pixels) {
    sum += pixel - 128.0;
    squares += (pixel - 128.0) * (pixel - 128.0);
  }
  const double n = static_cast<double>(a.pixels.size());
  EXPECT_NEAR(sum / n, 0, 0.5);
  EXPECT_NEAR(std::sqrt(squares / n), 16, 0.5);
  EXPECT_EQ(shifted(grey, Shift::noise, 1).pixels, a.pixels);
  EXPECT_NE(shifted(grey, Shift::noise, 2).pixels, a.pixels);
}

TEST(Shifts, BlurIsTheBinomialInBothDirections) {
  Picture point = flat(7, 0);
  point.pixels[(3 * 7 + 3) * 3 + 1] = 255;  // green in the middle
  const Picture out = shifted(point, Shift::blur, 0);
  const int kernel[] = {1, 4, 6, 4, 1};
  for (int y = 0; y < 7; ++y)
    for (int x = 0; x < 7; ++x) {
      const int expected_x = x >= 1 && x <= 5 ? (255 * kernel[x - 1] + 8) / 16 : 0;
      const int expected = y >= 1 && y <= 5 ? (expected_x * kernel[y - 1] + 8) / 16 : 0;
      EXPECT_EQ(out.pixels[static_cast<size_t>((y * 7 + x) * 3 + 1)], expected) << x << " " << y;
      EXPECT_EQ(out.pixels[static_cast<size_t>((y * 7 + x) * 3)], 0);
    }
  EXPECT_EQ(shifted(flat(5, 77), Shift::blur, 0).pixels, flat(5, 77).pixels);  // edges are repeated, not dark
}

TEST(Shifts, BrightnessIsOneOfTwoAndCropIsAWindow) {
  bool seen[2] = {};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const int value = shifted(flat(2, 100), Shift::brightness, seed).pixels[0];
    ASSERT_TRUE(value == 60 || value == 140) << value;
    seen[value == 140] = true;
    EXPECT_LE(shifted(flat(2, 250), Shift::brightness, seed).pixels[0], 255);
  }
  EXPECT_TRUE(seen[0] && seen[1]);
  Rng rng(1);
  Picture noise{16, 24, 1, {}};
  for (int i = 0; i < 16 * 24; ++i) noise.pixels.push_back(static_cast<uint8_t>(rng.below(256)));
  const Picture out = shifted(noise, Shift::crop, 3);
  bool found = false;  // among all windows of 14 x 21
  for (int top = 0; top <= 2; ++top)
    for (int left = 0; left <= 3; ++left) {
      Picture window{14, 21, 1, {}};
      for (int y = 0; y < 14; ++y)
        for (int x = 0; x < 21; ++x)
          window.pixels.push_back(noise.pixels[static_cast<size_t>((top + y) * 24 + left + x)]);
      found = found || resized(window, 16, 24).pixels == out.pixels;
    }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace halftone
