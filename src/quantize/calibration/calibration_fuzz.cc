// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "quantize/calibration/calibration.h"
#include "quantize/calibration/samples.h"

// Any bytes as JSON lines: refused with words, or samples that are one thing or the other; and windows of token ids
// keep what they promise.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto samples = halftone::parse_calibration_lines(text, "fuzz.jsonl");
  if (!samples.ok()) {
    HALFTONE_CHECK(!samples.status().message().empty());
    return 0;
  }
  for (const halftone::CalibrationSample& sample : *samples) {
    HALFTONE_CHECK(sample.has_tokens == sample.text.empty() && sample.has_tokens != sample.tokens.empty());
  }
  const auto read = halftone::read_calibration(text, "fuzz.jsonl", {nullptr, 100, 8, -1}, {4, 0});
  if (!read.ok()) return 0;
  const halftone::Sequences& sequences = read->sequences;
  for (int64_t i = 0; i < sequences.count(); ++i) {
    HALFTONE_CHECK(sequences.length(i) >= 2 && sequences.length(i) <= 8);
  }
  return 0;
}
