// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace halftone {

// The whole text as a number, in any locale: no spaces, no hexadecimal, no separators, finite. Empty when it is none.
std::optional<double> parse_number(std::string_view text);    // "-1.5e3"
std::optional<int64_t> parse_integer(std::string_view text);  // "-12"
// How many leading characters read as a decimal number ("1.2GB" gives 3); 0 when there is none.
size_t number_length(std::string_view text);

}  // namespace halftone
