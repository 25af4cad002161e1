// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/safetensors/safetensors.h"

// Any bytes as a file: refused with words, or every payload lies in the file, in order, and together they fill it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const auto header = halftone::parse_safetensors(file, "fuzz");
  if (!header.ok()) {
    HALFTONE_CHECK(!header.status().message().empty());
    return 0;
  }
  uint64_t at = header->entries.empty() ? size : header->entries.front().begin;
  for (const halftone::SafetensorsEntry& entry : header->entries) {
    HALFTONE_CHECK(entry.begin == at && entry.begin <= entry.end && entry.end <= size);
    at = entry.end;
  }
  HALFTONE_CHECK(at == size);
  return 0;
}
