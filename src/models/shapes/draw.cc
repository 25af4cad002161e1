// SPDX-License-Identifier: Apache-2.0
// Only sums, products and comparisons of doubles: no function of a mathematical library decides a pixel.
#include <algorithm>
#include <cmath>
#include <string>

#include "base/rng.h"
#include "models/shapes/shapes.h"

namespace halftone::shapes {
namespace {

struct Point {
  double x, y;
};
using Colour = std::array<double, 3>;

constexpr int kTurn = 256;  // directions of a full turn

// (cos, sin) of every direction, by repeated rotation.
const std::array<Point, kTurn>& directions() {
  static const std::array<Point, kTurn> kTable = [] {
    constexpr double kCos = 0.99969881869620422, kSin = 0.024541228522912288;  // of 2 pi / 256
    std::array<Point, kTurn> table{};
    table[0] = {1, 0};
    for (size_t i = 1; i < kTurn; ++i) {
      const Point before = table[i - 1];
      table[i] = {before.x * kCos - before.y * kSin, before.x * kSin + before.y * kCos};
    }
    return table;
  }();
  return kTable;
}

Point direction(int i) { return directions()[static_cast<size_t>(i & (kTurn - 1))]; }

// A convex polygon around the origin whose corners lie on the unit circle.
bool in_polygon(Point p, int corners) {
  const double apothem = direction(kTurn / (2 * corners)).x;
  for (int i = 0; i < corners; ++i) {
    const Point normal = direction((2 * i + 1) * kTurn / (2 * corners));
    if (normal.x * p.x + normal.y * p.y > apothem) return false;
  }
  return true;
}

// Five points: inside of at least four of the five lines through every second corner.
bool in_star(Point p) {
  const double reach = direction(kTurn / 5).x;
  int inside = 0;
  for (int i = 0; i < 5; ++i) {
    const Point normal = direction((2 * i + 1) * kTurn / 10);
    inside += normal.x * p.x + normal.y * p.y <= reach ? 1 : 0;
  }
  return inside >= 4;
}

bool in_figure(int figure, Point p) {
  const double square = p.x * p.x + p.y * p.y;
  if (square > 1) return false;
  switch (figure) {
    case 0:
      return true;
    case 1:
      return in_polygon(p, 3);
    case 2:
      return in_polygon(p, 4);
    case 3:
      return in_polygon(p, 6);
    case 4:
      return in_star(p);
    case 5:
      return square > 0.36;
    case 6:
      return std::abs(p.x) < 0.3 || std::abs(p.y) < 0.3;
    default:
      return (p.x - 0.45) * (p.x - 0.45) + p.y * p.y > 0.6;
  }
}

// Which of two colours a texture has at a point of the figure; `cell` is the width of a stripe.
bool second_colour(int texture, Point p, double cell) {
  const double u = p.x / cell + 100, v = p.y / cell + 100;
  const auto column = static_cast<int>(u), row = static_cast<int>(v);
  if (texture == 1) return column % 2 == 0;
  if (texture == 2) return (column + row) % 2 == 0;
  if (texture != 3) return false;
  const double du = u / 1.6 - static_cast<int>(u / 1.6) - 0.5, dv = v / 1.6 - static_cast<int>(v / 1.6) - 0.5;
  return du * du + dv * dv < 0.09;
}

double distance(const Colour& a, const Colour& b) {
  return std::abs(a[0] - b[0]) + std::abs(a[1] - b[1]) + std::abs(a[2] - b[2]);
}

Colour any_colour(Rng& rng) { return {rng.uniform(), rng.uniform(), rng.uniform()}; }

Colour colour_away(Rng& rng, const Colour& from, const Colour& also, double least) {
  for (;;) {
    const Colour colour = any_colour(rng);
    if (distance(colour, from) >= least && distance(colour, also) >= least) return colour;
  }
}

class Picture {
 public:
  explicit Picture(Rng& rng) : rng_(rng), ground_(any_colour(rng)) {
    const Point way = direction(static_cast<int>(rng_.below(kTurn)));
    const double slope = 0.5 * rng_.uniform() / kSide;
    for (int y = 0; y < kSide; ++y)
      for (int x = 0; x < kSide; ++x)
        for (size_t c = 0; c < 3; ++c)
          at(x, y)[c] = ground_[c] + slope * (way.x * (x - kSide / 2) + way.y * (y - kSide / 2));
  }

  void line() {
    const Colour colour = any_colour(rng_);
    const Point way = direction(static_cast<int>(rng_.below(kTurn)));
    Point p = {rng_.uniform() * kSide, rng_.uniform() * kSide};
    const int length = 4 + static_cast<int>(rng_.below(14));
    for (int i = 0; i < length; ++i, p.x += way.x, p.y += way.y)
      mix(static_cast<int>(p.x), static_cast<int>(p.y), colour, 0.8);
  }

  void speck() {
    const Colour colour = any_colour(rng_);
    const auto x = static_cast<int>(rng_.below(kSide)), y = static_cast<int>(rng_.below(kSide));
    for (int i = 0; i < 4; ++i) mix(x + i % 2, y + i / 2, colour, 0.9);
  }

  void choose_colours() {
    first_ = colour_away(rng_, ground_, ground_, 0.7);
    second_ = colour_away(rng_, ground_, first_, 0.7);
  }

  Box figure(const Label& label, Point centre, double radius) {
    const Point turn = direction(static_cast<int>(rng_.below(kTurn)));
    const double cell = (0.3 + 0.1 * rng_.uniform()) * (radius < 8 ? 1.35 : 1);
    constexpr int kSamples = 3;  // per side of a pixel
    Box box = {kSide, kSide, 0, 0};
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        int inside = 0, second = 0;
        for (int s = 0; s < kSamples * kSamples; ++s) {
          const double dx = (x + (s % kSamples + 0.5) / kSamples - centre.x) / radius;
          const double dy = (y + (s / kSamples + 0.5) / kSamples - centre.y) / radius;
          const Point p = {turn.x * dx + turn.y * dy, turn.x * dy - turn.y * dx};
          if (!in_figure(label.figure, p)) continue;
          ++inside;
          second += second_colour(label.texture, p, cell) ? 1 : 0;
        }
        if (inside == 0) continue;
        Colour colour;
        for (size_t c = 0; c < 3; ++c) colour[c] = (first_[c] * (inside - second) + second_[c] * second) / inside;
        mix(x, y, colour, static_cast<double>(inside) / (kSamples * kSamples));
        box.left = std::min(box.left, static_cast<float>(x));
        box.top = std::min(box.top, static_cast<float>(y));
        box.right = std::max(box.right, static_cast<float>(x + 1));
        box.bottom = std::max(box.bottom, static_cast<float>(y + 1));
      }
    }
    return box;
  }

  // Light and noise; sums of uniform numbers stand for a normal one.
  void develop(std::span<uint8_t, kPictureBytes> pixels) {
    const double light = 0.6 + 0.5 * rng_.uniform(), noise = 0.12 * rng_.uniform();
    for (size_t i = 0; i < pixels.size(); ++i) {
      const double grain = (rng_.uniform() + rng_.uniform() + rng_.uniform() - 1.5) * 2 * noise;
      pixels[i] = static_cast<uint8_t>(std::clamp(values_[i] * light + grain, 0.0, 1.0) * 255 + 0.5);
    }
  }

 private:
  double* at(int x, int y) { return &values_[static_cast<size_t>((y * kSide + x) * kChannels)]; }
  void mix(int x, int y, const Colour& colour, double share) {
    if (x < 0 || y < 0 || x >= kSide || y >= kSide) return;
    double* pixel = at(x, y);
    for (size_t c = 0; c < 3; ++c) pixel[c] += share * (colour[c] - pixel[c]);
  }

  Rng& rng_;
  std::array<double, static_cast<size_t>(kPictureBytes)> values_;
  Colour ground_, first_{}, second_{};
};

// One figure near the middle, or three, each in a quarter of its own.
void place(Rng& rng, Picture& picture, Label& label) {
  if (kCounts[static_cast<size_t>(label.count)] == 1) {
    const double radius = 10 + 6 * rng.uniform();
    const double room = kSide - 2 * radius;
    const Point centre = {radius + room * rng.uniform(), radius + room * rng.uniform()};
    label.boxes.push_back(picture.figure(label, centre, radius));
    return;
  }
  const auto left_out = static_cast<int>(rng.below(4));
  for (int quarter = 0; quarter < 4; ++quarter) {
    if (quarter == left_out) continue;
    const double radius = 7 + 2 * rng.uniform(), half = kSide / 2.0, room = half - 2 * radius + 1;
    const Point centre = {quarter % 2 * half + radius - 0.5 + room * rng.uniform(),
                          quarter / 2 * half + radius - 0.5 + room * rng.uniform()};
    label.boxes.push_back(picture.figure(label, centre, radius));
  }
}

}  // namespace

std::string class_name(int id) {
  return std::string(kFigures[static_cast<size_t>(id / 8)]) + " " +
         std::string(kTextures[static_cast<size_t>(id / 2 % 4)]) + " " +
         std::to_string(kCounts[static_cast<size_t>(id % 2)]);
}

Label draw(uint64_t seed, uint64_t index, std::span<uint8_t, kPictureBytes> pixels) {
  Rng rng(seed * 0x9E3779B97F4A7C15U + index);
  Label label = {static_cast<int>(rng.below(8)), static_cast<int>(rng.below(4)), static_cast<int>(rng.below(2)), 0, {}};
  Picture picture(rng);
  const auto lines = static_cast<int>(rng.below(5)), specks = static_cast<int>(rng.below(7));
  label.clutter = lines + specks;
  for (int i = 0; i < lines; ++i) picture.line();
  picture.choose_colours();
  place(rng, picture, label);
  for (int i = 0; i < specks; ++i) picture.speck();
  picture.develop(pixels);
  return label;
}

}  // namespace halftone::shapes
