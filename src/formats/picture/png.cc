// SPDX-License-Identifier: Apache-2.0
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "base/error.h"
#include "formats/picture/codecs.h"

namespace halftone {
namespace {

// Everything that must outlive a jump out of the library.
struct PngRead {
  std::span<const std::byte> left;
  std::string problem;
  Picture picture;
  int channels = 0;  // as decoded: 2 and 4 have an alpha
  std::vector<uint8_t> pixels;
  std::vector<png_bytep> rows;
  Status size;
};

void png_failed(png_structp png, png_const_charp message) {
  static_cast<std::string*>(png_get_error_ptr(png))->assign(message);
  png_longjmp(png, 1);
}

void png_warned(png_structp, png_const_charp) {}  // about what does not touch the pixels; damage is an error

void png_take(png_structp png, png_bytep out, size_t count) {
  auto& left = *static_cast<std::span<const std::byte>*>(png_get_io_ptr(png));
  if (count > left.size()) png_error(png, "it ends early");
  std::memcpy(out, left.data(), count);
  left = left.subspan(count);
}

void png_append(png_structp png, png_bytep bytes, size_t count) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<const char*>(bytes), count);
}

void png_flush_nothing(png_structp) {}

// No object with a destructor lives in here: the library leaves by a jump.
bool read_png(png_structp png, png_infop info, PngRead& read) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_read_fn(png, &read.left, png_take);
  png_read_info(png, info);
  read.picture.height = png_get_image_height(png, info);
  read.picture.width = png_get_image_width(png, info);
  read.size = check_size(read.picture.height, read.picture.width);
  if (!read.size.ok()) return true;
  png_set_expand(png);
  png_set_scale_16(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  read.channels = png_get_channels(png, info);
  const size_t row = png_get_rowbytes(png, info);
  // Deflate makes at most 1,032 bytes of one: a size that the file cannot hold costs no memory.
  if (row * static_cast<size_t>(read.picture.height) / 1032 > read.left.size()) png_error(png, "it ends early");
  read.pixels.resize(row * static_cast<size_t>(read.picture.height));
  for (int64_t y = 0; y < read.picture.height; ++y)
    read.rows.push_back(read.pixels.data() + static_cast<size_t>(y) * row);
  png_read_image(png, read.rows.data());
  png_read_end(png, nullptr);
  return true;
}

// Without alpha, which must be opaque everywhere.
Status keep_colours(PngRead& read) {
  const auto channels = static_cast<size_t>(read.channels);
  const size_t colours = channels - (channels % 2 == 0 ? 1 : 0);
  read.picture.channels = static_cast<int>(colours);
  if (colours == channels) {
    read.picture.pixels = std::move(read.pixels);
    return {};
  }
  read.picture.pixels.reserve(read.pixels.size() / channels * colours);
  for (size_t i = 0; i < read.pixels.size(); i += channels) {
    if (read.pixels[i + colours] != 255)
      return invalid_input("expected a picture without transparency, got a pixel of opacity {} of 255; flatten it",
                           read.pixels[i + colours]);
    read.picture.pixels.insert(read.picture.pixels.end(), &read.pixels[i], &read.pixels[i] + colours);
  }
  return {};
}

}  // namespace

Result<Picture> decode_png(std::span<const std::byte> file) {
  PngRead read;
  read.left = file;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &read.problem, png_failed, png_warned);
  HALFTONE_CHECK(png != nullptr);
  png_infop info = png_create_info_struct(png);
  const bool good = read_png(png, info, read);
  png_destroy_read_struct(&png, &info, nullptr);
  if (!good) return invalid_input("expected a PNG that decodes, got: {}", read.problem);
  HALFTONE_TRY(read.size);
  HALFTONE_TRY(keep_colours(read));
  return std::move(read.picture);
}

std::string encode_png(const Picture& picture) {
  HALFTONE_CHECK(static_cast<int64_t>(picture.pixels.size()) == picture.height * picture.width * picture.channels);
  std::string problem, out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &problem, png_failed, png_warned);
  HALFTONE_CHECK(png != nullptr);
  png_infop info = png_create_info_struct(png);
  if (setjmp(png_jmpbuf(png)) != 0) HALFTONE_CHECK(false);  // it writes to memory, what it was given
  png_set_write_fn(png, &out, png_append, png_flush_nothing);
  png_set_IHDR(png, info, static_cast<png_uint_32>(picture.width), static_cast<png_uint_32>(picture.height), 8,
               picture.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  const size_t row = static_cast<size_t>(picture.width * picture.channels);
  for (int64_t y = 0; y < picture.height; ++y) png_write_row(png, picture.pixels.data() + static_cast<size_t>(y) * row);
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return out;
}

}  // namespace halftone
