// SPDX-License-Identifier: Apache-2.0
#include "models/pictures/pictures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace halftone {
namespace {

Picture noise(int64_t height, int64_t width, int channels, uint64_t seed) {
  Rng rng(seed);
  Picture picture{height, width, channels, {}};
  for (int64_t i = 0; i < height * width * channels; ++i)
    picture.pixels.push_back(static_cast<uint8_t>(rng.below(256)));
  return picture;
}

uint8_t at(const Picture& picture, int64_t y, int64_t x, int64_t c) {
  return picture.pixels[static_cast<size_t>((y * picture.width + x) * picture.channels + c)];
}

// How much of source pixel s a target pixel takes: a triangle around its centre.
double share(int64_t s, int64_t target, int64_t of_source, int64_t of_target) {
  const double ratio = double(of_source) / double(of_target), reach = ratio > 1 ? ratio : 1;
  return std::max(0.0, 1 - std::abs(double(s) + 0.5 - (double(target) + 0.5) * ratio) / reach);
}

// The definition in two dimensions at once, over every source pixel.
double pixel_of(const Picture& source, int64_t y, int64_t x, int64_t c, int64_t height, int64_t width) {
  double sum = 0, weights = 0;
  for (int64_t v = 0; v < source.height; ++v)
    for (int64_t u = 0; u < source.width; ++u) {
      const double weight = share(v, y, source.height, height) * share(u, x, source.width, width);
      sum += weight * at(source, v, u, c);
      weights += weight;
    }
  return sum / weights;
}

TEST(Pictures, ResizingIsTheDefinition) {
  struct Case {
    int64_t height, width, to_height, to_width;
    int channels;
  };
  for (const Case one : {Case{20, 30, 7, 9, 3}, Case{5, 4, 13, 11, 1}, Case{9, 8, 9, 3, 3}, Case{1, 6, 4, 2, 1}}) {
    const Picture source = noise(one.height, one.width, one.channels, 7);
    const Picture out = resized(source, one.to_height, one.to_width);
    ASSERT_EQ(static_cast<int64_t>(out.pixels.size()), one.to_height * one.to_width * one.channels);
    for (int64_t y = 0; y < one.to_height; ++y)
      for (int64_t x = 0; x < one.to_width; ++x)
        for (int c = 0; c < one.channels; ++c)
          ASSERT_NEAR(at(out, y, x, c), pixel_of(source, y, x, c, one.to_height, one.to_width), 0.5 + 1e-9);
  }
  const Picture same = noise(6, 6, 3, 8);
  EXPECT_EQ(resized(same, 6, 6).pixels, same.pixels);
}

TEST(Pictures, TheCentreIsCutOutOfTheResizedWhole) {
  const Picture source = noise(30, 47, 3, 9);
  PictureFormat format;
  format.height = 8;
  format.width = 6;
  format.shorter_side = 12;
  const auto resolved = format_for(format, {8, 6, 3});
  ASSERT_TRUE(resolved.ok()) << resolved.status().message();
  const auto seen = fitted(source, *resolved);
  ASSERT_TRUE(seen.ok()) << seen.status().message();
  EXPECT_EQ(seen->place.top, 2);
  EXPECT_EQ(seen->place.left, 6);
  EXPECT_EQ(seen->place.scale_x, 18.0 / 47);
  EXPECT_EQ(seen->place.height, 30);
  const Picture whole = resized(source, 12, 18);  // 47 * 12 / 30 = 18.8, rounded down
  for (int64_t y = 0; y < 8; ++y)
    for (int64_t x = 0; x < 6; ++x)
      for (int c = 0; c < 3; ++c) EXPECT_EQ(at(seen->picture, y, x, c), at(whole, y + 2, x + 6, c));
}

TEST(Pictures, ValuesFollowTheFormat) {
  const Picture picture{1, 2, 3, {10, 20, 30, 40, 50, 60}};
  PictureFormat format;
  format.mean = {0.5, 0.25, 0};
  format.deviation = {2, 1, 0.5};
  format.scale = 0.1;
  format.zero = 10;
  format.colour = PictureColour::bgr;
  const auto resolved = format_for(format, {3, 1, 2});
  ASSERT_TRUE(resolved.ok()) << resolved.status().message();
  const auto values = values_of(fitted(picture, *resolved)->picture, *resolved);
  ASSERT_TRUE(values.ok());
  EXPECT_EQ(values->shape(), (Shape{3, 1, 2}));
  // Blue first: (0.1 * (30 - 10) - 0.5) / 2, ...
  const std::vector<double> expected = {0.75, 2.25, 0.75, 3.75, 0, 6};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(values->values<float>()[i], expected[i], 1e-6) << i;
}

TEST(Pictures, ColoursAreConvertedOnlyWhereNamed) {
  const Picture grey{1, 2, 1, {77, 9}}, colour{1, 2, 3, {100, 200, 50, 1, 2, 3}};
  PictureFormat format;
  const Shape three = {1, 2, 3}, one = {1, 2, 1};
  format.order = PictureOrder::hwc;
  EXPECT_NE(std::string(fitted(grey, *format_for(format, three)).status().message())
                .find("expected a picture of 3 channels, as the network reads, got 1; `colour: rgb`"),
            std::string::npos);
  EXPECT_FALSE(fitted(colour, *format_for(format, one)).ok());
  format.colour = PictureColour::rgb;
  EXPECT_EQ(fitted(grey, *format_for(format, three))->picture.pixels, (std::vector<uint8_t>{77, 77, 77, 9, 9, 9}));
  format.colour = PictureColour::grey;
  EXPECT_EQ(
      fitted(colour, *format_for(format, one))->picture.pixels,
      (std::vector<uint8_t>{(100 * 299 + 200 * 587 + 50 * 114 + 500) / 1000, (299 + 2 * 587 + 3 * 114 + 500) / 1000}));
}

TEST(Pictures, TheNetworkSaysTheOrderOrSomebodyMust) {
  const auto order = [](const Shape& input, PictureFormat format = {}) { return format_for(format, input); };
  EXPECT_EQ(order({40, 40, 3})->order, PictureOrder::hwc);
  EXPECT_EQ(order({3, -1, -1})->order, PictureOrder::chw);
  EXPECT_EQ(order({})->order, PictureOrder::hwc);
  EXPECT_NE(std::string(order({3, 40, 3}).status().message()).find("could be either"), std::string::npos);
  EXPECT_NE(std::string(order({5, 40, 7}).status().message()).find("expected pictures that fit"), std::string::npos);
  PictureFormat chw;
  chw.order = PictureOrder::chw;
  EXPECT_TRUE(order({-1, -1, -1}, chw).ok());
  PictureFormat large;
  large.height = large.width = 64;
  EXPECT_FALSE(order({40, 40, 3}, large).ok());
  large.shorter_side = 32;
  EXPECT_NE(std::string(order({64, 64, 3}, large).status().message()).find("shorter_side: expected at least 64"),
            std::string::npos);
  EXPECT_NE(
      std::string(fitted(noise(20, 80, 3, 1), *order({40, 40, 3})).status().message())
          .find("expected a picture of 40 x 40 (height x width), as the network reads, got 20 x 80; `size: [40, 40]`"),
      std::string::npos);
}

}  // namespace
}  // namespace halftone
