// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone::jinja {

struct Token {
  enum class Kind { text, print_begin, print_end, block_begin, block_end, name, string, integer, real, symbol, end };
  Kind kind = Kind::end;
  std::string text;  // of text, name, string (unescaped) and symbol
  int64_t integer = 0;
  double real = 0;
  int line = 1;
};

// A template as tokens. Block tags take the newline behind them and the white space before them on their line
// (trim_blocks, lstrip_blocks), "-" takes all of it, "+" none; comments and the newline that ends the file are gone.
Result<std::vector<Token>> lex(std::string_view source, std::string_view name);

}  // namespace halftone::jinja
