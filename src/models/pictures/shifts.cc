// SPDX-License-Identifier: Apache-2.0
#include "models/pictures/shifts.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "models/pictures/pictures.h"

namespace halftone {
namespace {

constexpr double kNoiseDeviation = 16;
constexpr int kBlur[] = {1, 4, 6, 4, 1};

uint8_t byte_of(double value) { return static_cast<uint8_t>(std::floor(std::clamp(value, 0.0, 255.0) + 0.5)); }

// Sums of four uniform numbers: nearly normal, and no function of the C library decides a byte.
Picture noisy(Picture picture, Rng& rng) {
  constexpr double kScale = kNoiseDeviation * 1.7320508075688772;  // their deviation is 1 / sqrt(3)
  for (uint8_t& pixel : picture.pixels) {
    const double a = rng.uniform(), b = rng.uniform(), c = rng.uniform(), d = rng.uniform();
    pixel = byte_of(pixel + kScale * (a + b + c + d - 2));
  }
  return picture;
}

// Along rows (step: channels, count: width) or columns.
void blur_along(std::vector<uint8_t>& pixels, int64_t lines, int64_t line_step, int64_t count, int64_t step,
                int64_t channels) {
  std::vector<int> line(static_cast<size_t>(count));
  for (int64_t l = 0; l < lines; ++l)
    for (int64_t c = 0; c < channels; ++c) {
      uint8_t* first = pixels.data() + l * line_step + c;
      for (int64_t i = 0; i < count; ++i) {
        int sum = 8;
        for (int64_t k = 0; k < 5; ++k) sum += kBlur[k] * first[std::clamp<int64_t>(i + k - 2, 0, count - 1) * step];
        line[static_cast<size_t>(i)] = sum / 16;
      }
      for (int64_t i = 0; i < count; ++i) first[i * step] = static_cast<uint8_t>(line[static_cast<size_t>(i)]);
    }
}

Picture blurred(Picture picture) {
  const int64_t row = picture.width * picture.channels;
  blur_along(picture.pixels, picture.height, row, picture.width, picture.channels, picture.channels);
  blur_along(picture.pixels, picture.width, picture.channels, picture.height, row, picture.channels);
  return picture;
}

Picture cropped(const Picture& picture, Rng& rng) {
  Picture window;
  window.height = std::max<int64_t>(1, picture.height * 7 / 8);
  window.width = std::max<int64_t>(1, picture.width * 7 / 8);
  window.channels = picture.channels;
  const auto top = static_cast<int64_t>(rng.below(static_cast<uint64_t>(picture.height - window.height) + 1));
  const auto left = static_cast<int64_t>(rng.below(static_cast<uint64_t>(picture.width - window.width) + 1));
  for (int64_t y = top; y < top + window.height; ++y) {
    const auto begin = picture.pixels.begin() + (y * picture.width + left) * picture.channels;
    window.pixels.insert(window.pixels.end(), begin, begin + window.width * picture.channels);
  }
  return resized(window, picture.height, picture.width);
}

}  // namespace

std::string_view shift_name(Shift shift) {
  constexpr std::array<std::string_view, kShifts.size()> kNames = {"noise", "blur", "brightness", "crop"};
  return kNames[static_cast<size_t>(shift)];
}

Picture shifted(const Picture& picture, Shift shift, uint64_t seed) {
  Rng rng(seed);
  if (shift == Shift::noise) return noisy(picture, rng);
  if (shift == Shift::blur) return blurred(picture);
  if (shift == Shift::crop) return cropped(picture, rng);
  Picture out = picture;
  const double factor = rng.below(2) == 0 ? 0.6 : 1.4;
  for (uint8_t& pixel : out.pixels) pixel = byte_of(pixel * factor);
  return out;
}

}  // namespace halftone
