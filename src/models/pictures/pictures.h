// SPDX-License-Identifier: Apache-2.0
// From a picture's bytes to what a network reads.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/picture/picture.h"
#include "halftone/status.h"
#include "tensor/tensor.h"

namespace halftone {

enum class PictureColour : uint8_t { as_network, rgb, bgr, grey };  // as_network: as many channels, red first
enum class PictureOrder : uint8_t { as_network, hwc, chw };

// value = (scale * (byte - zero) - mean) / deviation. The defaults give the bytes as they are.
struct PictureFormat {
  int64_t height = 0, width = 0;  // 0: of the picture
  int64_t shorter_side = 0;       // resized so that it has this, then the centre is cut out; 0: resized to the size
  PictureColour colour = PictureColour::as_network;
  PictureOrder order = PictureOrder::as_network;
  double scale = 1, zero = 0;
  std::vector<double> mean, deviation;  // one per channel, or one for all; empty: 0 and 1
  Shape reads = {-1, -1, -1};           // height, width, channels that the network asks for; -1: any
  bool operator==(const PictureFormat&) const = default;
};

// Where what the network sees lies in the whole picture: its pixel (x, y) is ((x + left) / scale_x, (y + top) /
// scale_y).
struct PicturePlace {
  double scale_x = 1, scale_y = 1;
  int64_t left = 0, top = 0;
  int64_t height = 0, width = 0;            // of the whole picture
  int64_t seen_height = 0, seen_width = 0;  // of what the network sees
};

// What a network's input says: order and channels from its sizes (without the batch; -1: any; empty: any rank), and
// that pictures fit. Errors: sizes that do not fit the format, or that leave the order open.
Result<PictureFormat> format_for(PictureFormat format, const Shape& input);

// The picture as the network will see it, still bytes, channels in the format's order: colours, then size. Grey becomes
// three equal channels and colours their luma (0.299, 0.587, 0.114) only where the format names the colour.
// Resizing: bilinear, antialiased (a triangle as wide as the larger of source and target pixel, centres at half pixels,
// weights sum to 1), rounded to bytes once, halves up. With shorter_side the longer side is rounded down; the centre
// begins at half of what is left over, halves to even. REQUIRES: a format of format_for. Errors: a picture that is
// of another size or other channels than the network reads, or a hundred thousand times longer than high.
struct Fitted {
  Picture picture;
  PicturePlace place;
};
Result<Fitted> fitted(const Picture& picture, const PictureFormat& format);
// (height, width, channels) or (channels, height, width) of f32. REQUIRES: what fitted() gave for this format.
Result<Tensor> values_of(const Picture& picture, const PictureFormat& format);

Picture resized(const Picture& picture, int64_t height, int64_t width);

}  // namespace halftone
