// SPDX-License-Identifier: Apache-2.0
// Private to the folder: one function per library. Errors without the file's name.
#pragma once

#include "formats/picture/picture.h"

namespace halftone {

Result<Picture> decode_png(std::span<const std::byte> file);
Result<Picture> decode_jpeg(std::span<const std::byte> file);
Status check_size(int64_t height, int64_t width);

}  // namespace halftone
