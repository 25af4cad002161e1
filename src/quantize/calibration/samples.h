// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

// One line of a JSONL file: {"text": "..."} or {"tokens": [1, 2, ...]}; other keys are not looked at.
struct CalibrationSample {
  int64_t line = 0;
  bool has_tokens = false;
  std::string text;             // UTF-8, not empty, where has_tokens is false
  std::vector<int32_t> tokens;  // not empty, >= 0, where it is true
};

// `name` stands for the file. Empty lines are skipped; anything else that is no sample is an error with its line.
Result<std::vector<CalibrationSample>> parse_calibration_lines(std::string_view text, std::string_view name);

// An error when the bytes are no UTF-8 text: names what they seem to be (a picture, an archive), or the line.
Status check_calibration_text(std::string_view bytes, std::string_view name);

}  // namespace halftone
