// SPDX-License-Identifier: Apache-2.0
// What readers of different files share: both forms that a vocabulary is written in, on the way to one tokenizer.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "halftone/status.h"
#include "models/tokenizer.h"
#include "models/tokenizers/sentencepiece_file.h"
#include "models/tokenizers/tokenizer_json.h"

namespace halftone {

Result<std::shared_ptr<const Tokenizer>> build_tokenizer(TokenizerJson json, std::string_view name);
Result<std::shared_ptr<const Tokenizer>> build_tokenizer(const SentencePieceFile& spec, std::string_view name,
                                                         const SentencePieceOptions& options);

// Whether bytes begin like a tiktoken rank file: a token in base64 and its rank, 0.
bool looks_like_ranks(std::span<const std::byte> bytes);

}  // namespace halftone
