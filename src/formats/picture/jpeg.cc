// SPDX-License-Identifier: Apache-2.0
#include <jpeglib.h>

#include <array>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE

#include "base/error.h"
#include "formats/picture/codecs.h"

namespace halftone {
namespace {

constexpr int kMostScans = 200;  // of a progressive file: more is an attack on our time

// Everything that must outlive a jump out of the library. `manager` is first: the library hands back its address.
struct JpegRead {
  jpeg_error_mgr manager;
  std::jmp_buf leave;
  std::array<char, JMSG_LENGTH_MAX> problem = {};
  jpeg_progress_mgr scans;
  Picture picture;
  Status refused;
};

void jpeg_failed(j_common_ptr library) {
  auto* read = reinterpret_cast<JpegRead*>(library->err);
  library->err->format_message(library, read->problem.data());
  std::longjmp(read->leave, 1);
}

// The library warns and goes on where a file ends early or its codes are wrong: grey pixels that nobody drew.
void jpeg_said(j_common_ptr library, int level) {
  if (level < 0) jpeg_failed(library);
}

void jpeg_count_scans(j_common_ptr library) {
  const auto* decoder = reinterpret_cast<j_decompress_ptr>(library);
  if (decoder->input_scan_number <= kMostScans) return;
  auto* read = reinterpret_cast<JpegRead*>(library->err);
  std::snprintf(read->problem.data(), read->problem.size(), "more than %d scans", kMostScans);
  std::longjmp(read->leave, 1);
}

// No object with a destructor lives in here: the library leaves by a jump.
bool read_jpeg(jpeg_decompress_struct& decoder, std::span<const std::byte> file, JpegRead& read) {
  if (setjmp(read.leave) != 0) return false;
  jpeg_create_decompress(&decoder);
  decoder.progress = &read.scans;
  jpeg_mem_src(&decoder, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_read_header(&decoder, TRUE);
  read.refused = check_size(decoder.image_height, decoder.image_width);
  if (decoder.num_components != 1 && decoder.num_components != 3)
    read.refused =
        invalid_input("expected a grey or RGB picture, got {} components (CMYK?); convert it", decoder.num_components);
  if (!read.refused.ok()) return true;
  decoder.out_color_space = decoder.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  decoder.dct_method = JDCT_ISLOW;  // exact in integers, the same bytes on every machine
  jpeg_start_decompress(&decoder);
  read.picture.height = decoder.output_height;
  read.picture.width = decoder.output_width;
  read.picture.channels = decoder.output_components;
  const size_t row = static_cast<size_t>(decoder.output_width) * static_cast<size_t>(decoder.output_components);
  read.picture.pixels.resize(row * decoder.output_height);
  while (decoder.output_scanline < decoder.output_height) {
    JSAMPROW at = read.picture.pixels.data() + decoder.output_scanline * row;
    jpeg_read_scanlines(&decoder, &at, 1);
  }
  jpeg_finish_decompress(&decoder);
  return true;
}

}  // namespace

Result<Picture> decode_jpeg(std::span<const std::byte> file) {
  JpegRead read;
  jpeg_decompress_struct decoder = {};
  decoder.err = jpeg_std_error(&read.manager);
  read.manager.error_exit = jpeg_failed;
  read.manager.emit_message = jpeg_said;
  read.scans = {};
  read.scans.progress_monitor = jpeg_count_scans;
  const bool good = read_jpeg(decoder, file, read);
  jpeg_destroy_decompress(&decoder);
  if (!good) return invalid_input("expected a JPEG that decodes, got: {}", read.problem.data());
  HALFTONE_TRY(read.refused);
  return std::move(read.picture);
}

}  // namespace halftone
