// SPDX-License-Identifier: Apache-2.0
#include "models/pictures/pictures.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace halftone {
namespace {

bool is_channels(int64_t size) { return size == 1 || size == 3; }
bool allows(int64_t declared, int64_t wanted) { return declared < 0 || declared == wanted; }

Status check_channels(const PictureFormat& format, int channels) {
  for (const std::vector<double>* list : {&format.mean, &format.deviation})
    if (list->size() > 1 && static_cast<int>(list->size()) != channels)
      return invalid_input("input: expected {} numbers of mean and std, one per channel, or one, got {}", channels,
                           list->size());
  return {};
}

// Whether the sizes can hold (height, width, channels) in an order.
bool fits(const Shape& input, const PictureFormat& format, PictureOrder order) {
  const int64_t channels = order == PictureOrder::hwc ? input[2] : input[0];
  const int64_t height = order == PictureOrder::hwc ? input[0] : input[1];
  const int64_t width = order == PictureOrder::hwc ? input[1] : input[2];
  const bool colours = format.colour != PictureColour::as_network
                           ? allows(channels, format.colour == PictureColour::grey ? 1 : 3)
                           : is_channels(channels) || (channels < 0 && format.order == order);
  return colours && (format.height == 0 || (allows(height, format.height) && allows(width, format.width)));
}

Picture grey_of(const Picture& picture) {
  Picture grey{picture.height, picture.width, 1, {}};
  for (size_t i = 0; i < picture.pixels.size(); i += 3)
    grey.pixels.push_back(static_cast<uint8_t>(
        (picture.pixels[i] * 299 + picture.pixels[i + 1] * 587 + picture.pixels[i + 2] * 114 + 500) / 1000));
  return grey;
}

Picture in_colour(const Picture& picture, PictureColour colour) {
  if (colour == PictureColour::grey) return picture.channels == 1 ? picture : grey_of(picture);
  Picture out{picture.height, picture.width, 3, {}};
  const auto step = static_cast<size_t>(picture.channels);
  for (size_t i = 0; i < picture.pixels.size(); i += step) {
    const size_t last = i + step - 1;
    for (const size_t at : {i, (i + last) / 2, last})
      out.pixels.push_back(picture.pixels[colour == PictureColour::bgr ? i + last - at : at]);
  }
  return out;
}

Picture cut_out(const Picture& picture, int64_t top, int64_t left, int64_t height, int64_t width) {
  Picture out{height, width, picture.channels, {}};
  for (int64_t y = top; y < top + height; ++y) {
    const auto begin = picture.pixels.begin() + (y * picture.width + left) * picture.channels;
    out.pixels.insert(out.pixels.end(), begin, begin + width * picture.channels);
  }
  return out;
}

// Which source pixels a target pixel is made of, and how much of each.
struct Taps {
  int64_t first = 0;
  std::vector<double> weights;
};

std::vector<Taps> taps_of(int64_t source, int64_t target) {
  const double ratio = static_cast<double>(source) / static_cast<double>(target), reach = std::max(ratio, 1.0);
  std::vector<Taps> taps;
  for (int64_t i = 0; i < target; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * ratio;
    Taps one;
    one.first = std::max<int64_t>(0, static_cast<int64_t>(std::floor(centre - reach)));
    const int64_t last = std::min(source - 1, static_cast<int64_t>(std::ceil(centre + reach)));
    double sum = 0;
    for (int64_t s = one.first; s <= last; ++s) {
      one.weights.push_back(std::max(0.0, 1 - std::fabs(static_cast<double>(s) + 0.5 - centre) / reach));
      sum += one.weights.back();
    }
    for (double& weight : one.weights) weight /= sum;
    taps.push_back(std::move(one));
  }
  return taps;
}

double channel_of(const std::vector<double>& list, size_t channel, double fallback) {
  return list.empty() ? fallback : list.size() == 1 ? list[0] : list[channel];
}

}  // namespace

Picture resized(const Picture& picture, int64_t height, int64_t width) {
  if (height == picture.height && width == picture.width) return picture;
  const std::vector<Taps> across = taps_of(picture.width, width), down = taps_of(picture.height, height);
  const int64_t channels = picture.channels, row = width * channels;
  std::vector<double> wide(static_cast<size_t>(picture.height * row));
  for (int64_t y = 0; y < picture.height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c) {
        const Taps& taps = across[static_cast<size_t>(x)];
        double sum = 0;
        for (size_t t = 0; t < taps.weights.size(); ++t)
          sum += taps.weights[t] * picture.pixels[static_cast<size_t>(
                                       (y * picture.width + taps.first + static_cast<int64_t>(t)) * channels + c)];
        wide[static_cast<size_t>(y * row + x * channels + c)] = sum;
      }
  Picture out{height, width, picture.channels, std::vector<uint8_t>(static_cast<size_t>(height * row))};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t i = 0; i < row; ++i) {
      const Taps& taps = down[static_cast<size_t>(y)];
      double sum = 0;
      for (size_t t = 0; t < taps.weights.size(); ++t)
        sum += taps.weights[t] * wide[static_cast<size_t>((taps.first + static_cast<int64_t>(t)) * row + i)];
      out.pixels[static_cast<size_t>(y * row + i)] = static_cast<uint8_t>(std::floor(std::min(sum, 255.0) + 0.5));
    }
  return out;
}

Result<PictureFormat> format_for(PictureFormat format, const Shape& input) {
  const bool known = input.size() == 3;
  if (known) {
    const bool hwc = format.order != PictureOrder::chw && fits(input, format, PictureOrder::hwc);
    const bool chw = format.order != PictureOrder::hwc && fits(input, format, PictureOrder::chw);
    if (hwc && chw)
      return invalid_input("input: expected `order: hwc` or `order: chw`, since the network's {} could be either",
                           text_of(input));
    if (!hwc && !chw)
      return invalid_input(
          "input: expected pictures that fit the network's input of {}, got {}; change size, colour or order",
          text_of(input),
          format.height == 0 ? "no such order of 1 or 3 channels"
                             : fmt::format("a size of {} x {} (height x width)", format.height, format.width));
    format.order = hwc ? PictureOrder::hwc : PictureOrder::chw;
    const size_t first = hwc ? 0 : 1;
    format.reads = {input[first], input[first + 1], hwc ? input[2] : input[0]};
    if (format.height == 0 && input[first] > 0 && input[first + 1] > 0 && format.shorter_side > 0) {
      format.height = input[first];
      format.width = input[first + 1];
    }
  }
  if (format.order == PictureOrder::as_network) format.order = PictureOrder::hwc;
  if (format.shorter_side > 0 && format.height == 0)
    return invalid_input("input: expected `size: [height, width]` beside shorter_side, what is cut out of the centre");
  if (format.shorter_side > 0 && format.shorter_side < std::max(format.height, format.width))
    return invalid_input("input: shorter_side: expected at least {}, what is cut out of the centre, got {}",
                         std::max(format.height, format.width), format.shorter_side);
  return format;
}

namespace {

Status check_read(const Picture& picture, const PictureFormat& format) {
  if (!allows(format.reads[2], picture.channels))
    return invalid_input(
        "expected a picture of {} channels, as the network reads, got {}; `colour: {}` in the suite's "
        "input converts it",
        format.reads[2], picture.channels, format.reads[2] == 3 ? "rgb" : "grey");
  if (!allows(format.reads[0], picture.height) || !allows(format.reads[1], picture.width))
    return invalid_input(
        "expected a picture of {} x {} (height x width), as the network reads, got {} x {}; `size: "
        "[{}, {}]` in the suite's input resizes it",
        format.reads[0], format.reads[1], picture.height, picture.width, format.reads[0], format.reads[1]);
  return {};
}

// Halves to even.
int64_t half_of(int64_t left_over) { return static_cast<int64_t>(std::nearbyint(static_cast<double>(left_over) / 2)); }

Result<Fitted> sized(const Picture& picture, const PictureFormat& format) {
  Fitted out;
  out.place.height = picture.height;
  out.place.width = picture.width;
  int64_t height = format.height, width = format.width;
  if (format.shorter_side > 0) {
    const int64_t shorter = std::min(picture.height, picture.width), longer = std::max(picture.height, picture.width);
    if (longer / shorter >= kMostPixels / format.shorter_side / format.shorter_side)
      return invalid_input("expected a picture of more even sides, got {} x {} (height x width)", picture.height,
                           picture.width);
    const int64_t other = format.shorter_side * longer / shorter;
    height = picture.height > picture.width ? other : format.shorter_side;
    width = picture.height > picture.width ? format.shorter_side : other;
  }
  out.picture = height == 0 ? picture : resized(picture, height, width);
  out.place.scale_y = static_cast<double>(out.picture.height) / static_cast<double>(picture.height);
  out.place.scale_x = static_cast<double>(out.picture.width) / static_cast<double>(picture.width);
  if (format.shorter_side > 0) {
    out.place.top = half_of(out.picture.height - format.height);
    out.place.left = half_of(out.picture.width - format.width);
    out.picture = cut_out(out.picture, out.place.top, out.place.left, format.height, format.width);
  }
  return out;
}

}  // namespace

Result<Fitted> fitted(const Picture& picture, const PictureFormat& format) {
  HALFTONE_ASSIGN(Fitted out, format.colour == PictureColour::as_network
                                  ? sized(picture, format)
                                  : sized(in_colour(picture, format.colour), format));
  HALFTONE_TRY(check_read(out.picture, format));
  out.place.seen_height = out.picture.height;
  out.place.seen_width = out.picture.width;
  return out;
}

Result<Tensor> values_of(const Picture& picture, const PictureFormat& format) {
  HALFTONE_TRY(check_channels(format, picture.channels));
  const bool chw = format.order == PictureOrder::chw;
  const auto channels = static_cast<size_t>(picture.channels);
  const size_t places = static_cast<size_t>(picture.height * picture.width);
  HALFTONE_ASSIGN(Tensor out, Tensor::make(DType::f32, chw ? Shape{picture.channels, picture.height, picture.width}
                                                           : Shape{picture.height, picture.width, picture.channels}));
  const auto values = out.mutable_values<float>();
  for (size_t i = 0; i < places; ++i)
    for (size_t c = 0; c < channels; ++c) {
      const double value = format.scale * (picture.pixels[i * channels + c] - format.zero);
      values[chw ? c * places + i : i * channels + c] =
          static_cast<float>((value - channel_of(format.mean, c, 0)) / channel_of(format.deviation, c, 1));
    }
  return out;
}

}  // namespace halftone
