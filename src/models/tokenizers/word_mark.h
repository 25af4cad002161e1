// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "models/tokenizers/pattern.h"

namespace halftone {

// What SentencePiece writes for a space: "▁".
inline constexpr std::string_view kWordMark = "\xE2\x96\x81";

// A mark that follows something else than a mark: a vocabulary with such a piece joins words.
bool word_mark_inside(std::string_view piece);
// Appends the words of `text`, each with the marks before it.
void cut_words(std::string_view text, size_t offset, std::vector<Range>& words);

}  // namespace halftone
