// SPDX-License-Identifier: Apache-2.0
#include "formats/picture/picture.h"

#include <gtest/gtest.h>

// jpeglib.h needs FILE
#include <jpeglib.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/rng.h"

namespace halftone {
namespace {

template <size_t kSize>
constexpr std::string_view bytes(const char (&text)[kSize]) {
  return {text, kSize - 1};
}

// Made by tests/tools/pictures.py.
const std::string_view kRgb = bytes(
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x02\x00\x00\x00\x02"
    "\x08\x02\x00\x00\x00\xfd\xd4\x9a\x73\x00\x00\x00\x13\x49\x44\x41\x54\x78\xda\x63\xf8\xcf\xc0\xc0"
    "\x00\xc2\x0c\xff\xb9\x44\xe4\x00\x1a\x58\x03\x3a\xe2\x92\x6e\xd9\x00\x00\x00\x00\x49\x45\x4e\x44"
    "\xae\x42\x60\x82");
const std::string_view kGrey16 = bytes(
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x03\x00\x00\x00\x01"
    "\x10\x00\x00\x00\x00\x6e\x1b\x97\x2b\x00\x00\x00\x0f\x49\x44\x41\x54\x78\xda\x63\x60\x60\x68\x60"
    "\xf8\xff\x1f\x00\x05\x04\x02\x7f\x5a\xfb\xf7\xa7\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82");
const std::string_view kPalette2 = bytes(
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x03\x00\x00\x00\x02"
    "\x02\x03\x00\x00\x00\xe0\x1a\x8e\x89\x00\x00\x00\x0c\x50\x4c\x54\x45\x01\x02\x03\x28\x32\x3c\x46"
    "\x50\x5a\xc8\xd2\xdc\x6a\x60\xf5\x40\x00\x00\x00\x0c\x49\x44\x41\x54\x78\xda\x63\x90\x60\x38\x02"
    "\x00\x01\x10\x00\xdd\x2f\x18\xdc\x8e\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82");
const std::string_view kOpaque = bytes(
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\x00\x02"
    "\x08\x06\x00\x00\x00\x99\x81\xb6\x27\x00\x00\x00\x12\x49\x44\x41\x54\x78\xda\x63\xe0\xe4\x60\xff"
    "\xcf\xc0\xc6\xca\xf2\x1f\x00\x07\xf4\x02\x26\x47\xea\xaa\xd9\x00\x00\x00\x00\x49\x45\x4e\x44\xae"
    "\x42\x60\x82");
const std::string_view kSeeThrough = bytes(
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\x00\x02"
    "\x08\x06\x00\x00\x00\x99\x81\xb6\x27\x00\x00\x00\x12\x49\x44\x41\x54\x78\xda\x63\xe0\xe4\x60\xff"
    "\xcf\xc0\xc6\xca\xd2\x00\x00\x07\x75\x01\xa7\x2b\xb2\xb2\xc9\x00\x00\x00\x00\x49\x45\x4e\x44\xae"
    "\x42\x60\x82");

Result<Picture> decode(std::string_view file) { return decode_picture(std::as_bytes(std::span(file)), "p"); }
std::string problem(std::string_view file) { return std::string(decode(file).status().message()); }
using Bytes = std::vector<uint8_t>;

// As the library writes it, without our code.
std::string jpeg_of(const Picture& picture, int quality, bool progressive = false) {
  jpeg_compress_struct encoder = {};
  jpeg_error_mgr errors;
  encoder.err = jpeg_std_error(&errors);
  jpeg_create_compress(&encoder);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&encoder, &out, &size);
  encoder.image_width = static_cast<JDIMENSION>(picture.width);
  encoder.image_height = static_cast<JDIMENSION>(picture.height);
  encoder.input_components = picture.channels;
  encoder.in_color_space = picture.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, quality, TRUE);
  if (progressive) jpeg_simple_progression(&encoder);
  jpeg_start_compress(&encoder, TRUE);
  while (encoder.next_scanline < encoder.image_height) {
    auto* row = const_cast<JSAMPROW>(picture.pixels.data() + encoder.next_scanline * picture.width * picture.channels);
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  std::string file(reinterpret_cast<const char*>(out), size);
  std::free(out);
  return file;
}

// Colours that change slowly: what JPEG keeps.
Picture slope(int64_t height, int64_t width, int channels) {
  Picture picture{height, width, channels, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c)
        picture.pixels.push_back(static_cast<uint8_t>(30 + 60 * c + 80 * y / height + 20 * x / width));
  return picture;
}

TEST(Picture, PngOfEveryKindGivesItsBytes) {
  const auto rgb = decode(kRgb);
  ASSERT_TRUE(rgb.ok()) << rgb.status().message();
  EXPECT_EQ(rgb->pixels, (Bytes{255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30}));
  EXPECT_EQ(rgb->channels, 3);
  const auto grey = decode(kGrey16);
  ASSERT_TRUE(grey.ok()) << grey.status().message();
  EXPECT_EQ(grey->pixels, (Bytes{0, 128, 255}));
  EXPECT_EQ(grey->channels, 1);
  EXPECT_EQ(grey->width, 3);
  const auto palette = decode(kPalette2);
  ASSERT_TRUE(palette.ok()) << palette.status().message();
  EXPECT_EQ(palette->pixels, (Bytes{1, 2, 3, 40, 50, 60, 70, 80, 90, 200, 210, 220, 1, 2, 3, 40, 50, 60}));
  const auto opaque = decode(kOpaque);
  ASSERT_TRUE(opaque.ok()) << opaque.status().message();
  EXPECT_EQ(opaque->pixels, (Bytes{9, 8, 7, 6, 5, 4}));
}

TEST(Picture, WhatIsWrittenAsPngIsReadBack) {
  Rng rng(3);
  for (const int channels : {1, 3}) {
    Picture picture{37, 11, channels, {}};
    for (int64_t i = 0; i < 37 * 11 * channels; ++i) picture.pixels.push_back(static_cast<uint8_t>(rng.below(256)));
    const auto again = decode(encode_png(picture));
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(again->pixels, picture.pixels);
    EXPECT_EQ(again->height, 37);
  }
}

TEST(Picture, JpegIsCloseToWhatWasWritten) {
  for (const int channels : {1, 3})
    for (const bool progressive : {false, true}) {
      const Picture picture = slope(45, 70, channels);
      const auto read = decode(jpeg_of(picture, 95, progressive));
      ASSERT_TRUE(read.ok()) << read.status().message();
      ASSERT_EQ(read->height, 45);
      ASSERT_EQ(read->width, 70);
      ASSERT_EQ(read->channels, channels);
      for (size_t i = 0; i < picture.pixels.size(); ++i)
        ASSERT_NEAR(read->pixels[i], picture.pixels[i], 6) << channels << " at " << i;
    }
}

TEST(Picture, WhatDoesNotDecodeSaysWhy) {
  EXPECT_EQ(problem("GIF89a..."), "p: expected a PNG or JPEG file, got another beginning; convert it");
  EXPECT_EQ(problem(""), "p: expected a PNG or JPEG file, got another beginning; convert it");
  EXPECT_EQ(problem(kSeeThrough),
            "p: expected a picture without transparency, got a pixel of opacity 128 of 255; flatten it");
  for (size_t cut = 8; cut < kRgb.size(); ++cut)
    EXPECT_NE(problem(kRgb.substr(0, cut)).find("p: expected a PNG that decodes, got: "), std::string::npos) << cut;
  std::string flipped(kRgb);
  flipped[flipped.size() - 20] ^= 1;  // in the pixels: the checksum tells
  EXPECT_NE(problem(flipped).find("expected a PNG that decodes"), std::string::npos);
  std::string huge(kRgb);
  huge[16] = 0x7f;  // the width; its checksum is wrong too, and either may be met first
  EXPECT_FALSE(decode(huge).ok());
  const std::string jpeg = jpeg_of(slope(40, 40, 3), 90);
  for (const size_t left : {size_t{4}, jpeg.size() / 2, jpeg.size() - 2})
    EXPECT_NE(problem(jpeg.substr(0, left)).find("p: expected a JPEG that decodes, got: "), std::string::npos) << left;
}

}  // namespace
}  // namespace halftone
