// SPDX-License-Identifier: Apache-2.0
// Pictures of a small task that is drawn, not collected: 64 classes, each a shape with a texture, once or three times.
// Colours, pose, light, noise and clutter tell nothing. A picture follows from (seed, index) alone, the same bytes on
// every machine, so that a test set of any size needs no files.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "halftone/status.h"

namespace halftone::shapes {

inline constexpr int kSide = 40, kChannels = 3, kPixels = kSide * kSide;
inline constexpr int64_t kPictureBytes = int64_t{kPixels} * kChannels;
inline constexpr std::array<std::string_view, 8> kFigures = {"disc", "triangle", "square", "hexagon",
                                                             "star", "ring",     "cross",  "crescent"};
inline constexpr std::array<std::string_view, 4> kTextures = {"solid", "stripes", "checks", "dots"};
inline constexpr std::array<int, 2> kCounts = {1, 3};
inline constexpr int kClasses = 64;

struct Box {
  float left, top, right, bottom;  // pixels
};

struct Label {
  int figure, texture, count;  // indices into the lists above
  int clutter;                 // lines and specks that were drawn
  std::vector<Box> boxes;      // one per figure
  int id() const { return (figure * 4 + texture) * 2 + count; }
};
std::string class_name(int id);  // "star stripes 3"

// Picture `index` of `seed` into (height, width, 3) bytes.
Label draw(uint64_t seed, uint64_t index, std::span<uint8_t, kPictureBytes> pixels);

struct SetReport {
  std::filesystem::path path;
  int64_t pictures = 0, bytes = 0;
};
// A folder with pictures.npy (n, height, width, 3) of bytes, labels.csv (path, label, figure, texture, count, clutter,
// boxes), classes.txt, and suite.yaml, which validates and ships with them. It appears complete or not at all.
Result<SetReport> write_set(const std::filesystem::path& out, int64_t pictures, uint64_t seed, bool replace,
                            ThreadPool& pool, Progress& progress);

}  // namespace halftone::shapes
