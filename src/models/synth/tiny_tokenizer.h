// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace halftone {

// A complete byte-level tokenizer.json of 288 ids: 256 bytes, 30 merges of English, begin (286) and end (287) of text.
inline constexpr int64_t kTinyTokenizerIds = 288;
std::string tiny_tokenizer_json();

}  // namespace halftone
