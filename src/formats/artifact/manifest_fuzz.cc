// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/artifact/manifest.h"

// Any text as model.json: refused with words, or what was read can be written and read again as the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto manifest = halftone::parse_manifest({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!manifest.ok()) {
    HALFTONE_CHECK(!manifest.status().message().empty());
    return 0;
  }
  for (const auto& entry : manifest->tensors) {
    HALFTONE_CHECK(entry.tensor.bytes() > 0 && entry.tensor.bytes() % 64 == 0);
    HALFTONE_CHECK(!entry.tensor.input.exists() || entry.tensor.input.makes_sense());
  }
  const std::string text = halftone::manifest_text(*manifest);
  const auto again = halftone::parse_manifest(text, "written");
  HALFTONE_CHECK(again.ok());
  HALFTONE_CHECK(halftone::manifest_text(*again) == text);
  return 0;
}
