// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/added_tokens.h"

#include <algorithm>

#include "base/utf8.h"
#include "models/tokenizers/unicode.h"
#include "models/tokenizers/vocabulary.h"

namespace halftone {
namespace {

// Where the character that ends at `end` begins. REQUIRES: end > 0, valid UTF-8.
size_t previous(std::string_view text, size_t end) {
  do {
    --end;
  } while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80);
  return end;
}

bool word_touches(std::string_view text, Range range) {
  const bool before = range.begin > 0 && is_word_character(utf8_step(text, previous(text, range.begin)).code_point);
  return before || (range.end < text.size() && is_word_character(utf8_step(text, range.end).code_point));
}

}  // namespace

void AddedTokenFinder::add(const AddedToken& token, std::string_view content) {
  if (content.empty()) return;
  const size_t first = static_cast<uint8_t>(content[0]);
  begins_[first] = true;
  for (size_t second = 0; second < 256; ++second)
    if (content.size() == 1 || second == static_cast<uint8_t>(content[1])) begins_with_two_.set(first << 8 | second);
  uint32_t node = 0;
  for (const char character : content) {
    const auto byte = static_cast<uint8_t>(character);
    auto& children = nodes_[node].children;
    auto child = std::lower_bound(children.begin(), children.end(), std::pair<uint8_t, uint32_t>(byte, 0));
    if (child == children.end() || child->first != byte) {
      const auto created = static_cast<uint32_t>(nodes_.size());
      children.insert(child, {byte, created});
      nodes_.emplace_back();
      node = created;
    } else {
      node = child->second;
    }
  }
  nodes_[node].token = static_cast<int32_t>(tokens_.size());
  tokens_.push_back(token);
}

AddedTokenFinder::Match AddedTokenFinder::match_at(std::string_view text, size_t at) const {
  Match best;
  uint32_t node = 0;
  for (size_t i = at; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    const auto& children = nodes_[node].children;
    const auto child = std::lower_bound(children.begin(), children.end(), std::pair<uint8_t, uint32_t>(byte, 0));
    if (child == children.end() || child->first != byte) break;
    node = child->second;
    if (nodes_[node].token >= 0) best = {&tokens_[static_cast<size_t>(nodes_[node].token)], i + 1 - at};
  }
  return best;
}

size_t AddedTokenFinder::next_begin(std::string_view text, size_t at) const {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(text.data());
  for (const size_t size = text.size(); at < size; ++at) {
    if (!begins_[bytes[at]]) continue;
    if (at + 1 == size || begins_with_two_[size_t{bytes[at]} << 8 | bytes[at + 1]]) break;
  }
  return at;
}

std::vector<AddedTokenFinder::Part> AddedTokenFinder::split(std::string_view text, bool special) const {
  std::vector<Part> parts;
  size_t covered = 0;
  for (size_t at = 0; at < text.size() && !tokens_.empty();) {
    at = next_begin(text, at);
    if (at == text.size()) break;
    const Match match = match_at(text, at);
    if (match.token == nullptr) {
      ++at;
      continue;
    }
    Range range{at, at + match.length};
    at = range.end;
    const AddedToken& token = *match.token;
    if ((token.special && !special) || (token.single_word && word_touches(text, range))) continue;
    while (token.left_strip && range.begin > covered) {
      const size_t before = previous(text, range.begin);
      if (!is_white_space(utf8_step(text, before).code_point)) break;
      range.begin = before;
    }
    while (token.right_strip && range.end < text.size()) {
      const Utf8Step next = utf8_step(text, range.end);
      if (!is_white_space(next.code_point)) break;
      range.end += next.length;
    }
    if (covered < range.begin) parts.push_back({{covered, range.begin}, kNoToken});
    parts.push_back({range, token.id});
    at = covered = range.end;
  }
  if (covered < text.size()) parts.push_back({{covered, text.size()}, kNoToken});
  return parts;
}

}  // namespace halftone
