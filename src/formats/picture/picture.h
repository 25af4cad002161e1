// SPDX-License-Identifier: Apache-2.0
// Pictures as bytes: PNG and JPEG files in, PNG out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "halftone/status.h"

namespace halftone {

// Rows from the top, channels side by side: grey, or red, green, blue.
struct Picture {
  int64_t height = 0, width = 0;
  int channels = 0;  // 1 or 3
  std::vector<uint8_t> pixels;
};

inline constexpr int64_t kMostPixels = int64_t{1} << 26;  // of a file that we decode

// By name: .png, .jpg, .jpeg, in any case.
bool is_picture_file(const std::filesystem::path& path);

// The samples as stored: palettes and fewer than 8 bits become bytes, of 16 bits the upper 8 count (rounded), colour
// profiles, gamma and EXIF orientation are not applied. Errors begin with `name`: another beginning, bytes that do not
// decode or end early (a viewer would show grey there), transparency, CMYK, more than kMostPixels.
Result<Picture> decode_picture(std::span<const std::byte> file, const std::string& name);

// REQUIRES: height, width > 0, channels 1 or 3, as many pixels.
std::string encode_png(const Picture& picture);

}  // namespace halftone
