// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

// A model folder or artifact, understood and mapped: immutable, cheap to share, safe from any thread.
struct LanguageModel;
using ModelPtr = std::shared_ptr<const LanguageModel>;

// Opens a Hugging Face folder or an artifact. Every tensor is checked against the configuration; no weight is copied.
Result<ModelPtr> open_model(const std::filesystem::path& path);

struct ModelSummary {
  std::string family;
  int64_t layers = 0, vocabulary = 0;
  int64_t context_tokens = 0;
  int64_t weights_bytes = 0;       // mapped from the file
  int64_t kv_bytes_per_token = 0;
};
ModelSummary summarize(const LanguageModel& model);

// Text to token ids (with the model's own begin token) and back. Error when the folder holds no tokenizer.
Result<std::vector<int32_t>> tokenize(const LanguageModel& model, std::string_view text);
Result<std::string> detokenize(const LanguageModel& model, const std::vector<int32_t>& tokens);

}  // namespace halftone
