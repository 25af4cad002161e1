// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace halftone {

// The text with every invalid sequence replaced by U+FFFD: safe to put into JSON.
std::string valid_utf8(std::string_view bytes);

// At most `max_bytes` bytes of the text, the middle replaced by " ... " when it is longer; the end counts most (a
// question follows its story). Cuts between characters.
std::string excerpt(std::string_view text, size_t max_bytes);

// The number as `digits` significant digits write it, so that a file holds exactly what was computed with.
double round_significant(double value, int digits);

// Line of the byte at `offset`, from 1.
int64_t line_of(std::string_view text, size_t offset);

}  // namespace halftone
