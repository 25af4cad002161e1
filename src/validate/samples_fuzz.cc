// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "validate/validate.h"

// samples.jsonl from a stranger: whatever reads must also compare, write and read again to the same text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto records = halftone::parse_records(text, "fuzz.jsonl");
  if (!records.ok()) return 0;
  const std::string written = halftone::format_records(*records);
  const auto again = halftone::parse_records(written, "fuzz.jsonl");
  HALFTONE_CHECK(again.ok() && halftone::format_records(*again) == written);
  halftone::CompareOptions options;
  options.replicates = 20;
  if (const auto comparisons = halftone::recheck(*std::move(records), nullptr, options); comparisons.ok())
    for (const halftone::Comparison& comparison : *comparisons) (void)halftone::to_json(comparison).dump();
  return 0;
}
