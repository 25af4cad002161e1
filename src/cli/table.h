// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace halftone::cli {

enum class Colour { none, green, red, yellow, dim, bold };

// The text in a terminal's colour, or as it is.
std::string paint(std::string_view text, Colour colour, bool enabled);
size_t display_width(std::string_view text);  // code points: every character we print is one column wide

// Columns that line up: names to the left, numbers to the right, two spaces between.
class Table {
 public:
  struct Cell {
    std::string text;
    Colour colour = Colour::none;
  };
  // A header that begins with '>' belongs to a column of numbers.
  explicit Table(std::vector<std::string> headers);
  void row(std::vector<Cell> cells);
  std::string render(bool colour) const;

 private:
  std::vector<std::string> headers_;
  std::vector<bool> right_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace halftone::cli
