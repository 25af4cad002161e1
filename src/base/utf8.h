// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace halftone {

// What begins at one place of a text.
struct Utf8Step {
  size_t length;       // bytes of the character, or of the longest part that could have begun one
  int32_t code_point;  // -1: not a character
  bool incomplete;     // the text ends inside of what may become a character
};

// REQUIRES: at < text.size()
Utf8Step utf8_step(std::string_view text, size_t at);
// Offset of the first byte that belongs to no character (RFC 3629: no overlong forms, no surrogates), or nothing.
std::optional<size_t> first_invalid_utf8(std::string_view text);
void append_utf8(std::string& out, int32_t code_point);
// Bytes of the character that a valid text has at a place, from its first byte.
size_t utf8_length(char lead);

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

}  // namespace halftone
