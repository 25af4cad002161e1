// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/picture/picture.h"

// Any bytes as a picture: refused with words, or as many pixels as it says.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace halftone;
  const auto picture = decode_picture(std::as_bytes(std::span(data, size)), "fuzz");
  if (!picture.ok()) {
    HALFTONE_CHECK(picture.status().message().starts_with("fuzz: "));
    return 0;
  }
  HALFTONE_CHECK(picture->channels == 1 || picture->channels == 3);
  HALFTONE_CHECK(static_cast<int64_t>(picture->pixels.size()) == picture->height * picture->width * picture->channels);
  return 0;
}
