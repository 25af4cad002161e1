// SPDX-License-Identifier: Apache-2.0
// Text that a model is calibrated on: windows of tokens, drawn evenly over a file.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "halftone/status.h"
#include "models/language_model.h"
#include "quantize/evaluate/sequences.h"

namespace halftone {

// What reads the text. tokenizer may be null for files of token ids.
struct CalibrationReader {
  const Tokenizer* tokenizer = nullptr;
  int64_t vocabulary = 0, context = 0;
  TokenId bos = -1;  // begins every window of a text; -1: none
};
CalibrationReader reader_of(const LanguageModel& model);  // borrows its tokenizer

struct CalibrationOptions {
  int64_t tokens = 16384;  // as many are drawn, to within half a window
  int64_t length = 0;      // of a window, bos counted; 0: the context, at most 512
};

struct Calibration {
  Sequences sequences;     // each at most `length` tokens, in the file's order
  std::string path, kind;  // "text" or "jsonl"
  int64_t length = 0;
  int64_t samples = 0;      // windows of a text, lines of a JSONL file, that were looked at
  int64_t file_tokens = 0;  // of those samples, bos counted
  int64_t duplicates = 0;   // samples that repeat an earlier one, word for word
  bool excerpts = false;    // a large text: only stretches of it, evenly spread, were read

  nlohmann::ordered_json to_json() const;
};

// .jsonl: a sample per line (samples.h); a sample longer than a window becomes several. Any other name: one text, cut
// into windows; of a text that is much larger than what is needed, evenly spread stretches stand for it. Deterministic.
// Errors name file and line: no text, not enough of it (how many tokens there are), no UTF-8, a file of another kind,
// JSON, ids that the model does not have, nothing but one sample repeated.
Result<Calibration> load_calibration(const std::filesystem::path& path, const CalibrationReader& reader,
                                     const CalibrationOptions& options = {});
// What a user named for a model; an empty path: nothing was named.
Result<std::optional<Calibration>> calibration_of(const LanguageModel& model, const std::filesystem::path& path,
                                                  const CalibrationOptions& options = {});
// The same of a file's bytes; `path` stands for it.
Result<Calibration> read_calibration(std::string_view bytes, const std::filesystem::path& path,
                                     const CalibrationReader& reader, const CalibrationOptions& options = {});

}  // namespace halftone
