// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/word_mark.h"

#include <algorithm>

namespace halftone {
namespace {

// The next place in (from, end) where a mark follows something else; npos when there is none.
size_t next_word(std::string_view text, size_t from) {
  for (size_t at = text.find(kWordMark, from + 1); at != std::string_view::npos; at = text.find(kWordMark, at + 1)) {
    const bool after_mark = at >= kWordMark.size() && text.substr(at - kWordMark.size(), kWordMark.size()) == kWordMark;
    if (!after_mark) return at;
  }
  return std::string_view::npos;
}

}  // namespace

bool word_mark_inside(std::string_view piece) {
  return !piece.empty() && next_word(piece, 0) != std::string_view::npos;
}

void cut_words(std::string_view text, size_t offset, std::vector<Range>& words) {
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(next_word(text, begin), text.size());
    words.push_back({offset + begin, offset + end});
    begin = end;
  }
}

}  // namespace halftone
