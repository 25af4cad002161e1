// SPDX-License-Identifier: Apache-2.0
// GPT-2's way to write any byte as a visible character: bytes that are visible in Latin-1 stand for themselves, the
// other 68 become U+0100 and following, in order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace halftone {

std::string_view alphabet_character(uint8_t byte);  // UTF-8, lives forever
std::string to_byte_alphabet(std::string_view bytes);
// Appends the bytes that `text` stands for; false (and nothing appended) when a character is not of the alphabet.
bool from_byte_alphabet(std::string_view text, std::string& bytes);

}  // namespace halftone
