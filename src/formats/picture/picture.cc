// SPDX-License-Identifier: Apache-2.0
#include "formats/picture/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "base/error.h"
#include "formats/picture/codecs.h"

namespace halftone {

bool is_picture_file(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

Status check_size(int64_t height, int64_t width) {
  if (height > 0 && width > 0 && height <= kMostPixels / width) return {};
  return invalid_input("expected a picture of 1 to {} pixels, got {} x {} (width x height)", kMostPixels, width,
                       height);
}

Result<Picture> decode_picture(std::span<const std::byte> file, const std::string& name) {
  const auto begins_with = [&](std::string_view mark) {
    return file.size() >= mark.size() && std::memcmp(file.data(), mark.data(), mark.size()) == 0;
  };
  Result<Picture> picture = begins_with("\x89PNG\r\n\x1a\n") ? decode_png(file)
                            : begins_with("\xff\xd8\xff")    ? decode_jpeg(file)
                                                             : invalid_input(
                                                                   "expected a PNG or JPEG file, got another "
                                                                      "beginning; convert it");
  if (!picture.ok()) return Status(picture.status().code(), fmt::format("{}: {}", name, picture.status().message()));
  return picture;
}

}  // namespace halftone
