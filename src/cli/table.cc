// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <algorithm>

namespace halftone::cli {

std::string paint(std::string_view text, Colour colour, bool enabled) {
  if (!enabled || colour == Colour::none || text.empty()) return std::string(text);
  const char* code = "";
  switch (colour) {
    case Colour::green:
      code = "32";
      break;
    case Colour::red:
      code = "31";
      break;
    case Colour::yellow:
      code = "33";
      break;
    case Colour::dim:
      code = "2";
      break;
    case Colour::bold:
      code = "1";
      break;
    case Colour::none:
      break;
  }
  return std::string("\033[") + code + "m" + std::string(text) + "\033[0m";
}

size_t display_width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

Table::Table(std::vector<std::string> headers) : headers_(std::move(headers)) {
  for (std::string& header : headers_) {
    right_.push_back(!header.empty() && header[0] == '>');
    if (right_.back()) header.erase(0, 1);
  }
}

void Table::row(std::vector<Cell> cells) {
  cells.resize(headers_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::render(bool colour) const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < headers_.size(); ++i) {
    size_t width = display_width(headers_[i]);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
  }
  const auto line = [&](auto&& text_of) {
    std::string out;
    for (size_t i = 0; i < headers_.size(); ++i) {
      const auto& [text, paint_as] = text_of(i);
      const std::string gap(widths[i] - display_width(text), ' ');
      const std::string shown = paint(text, paint_as, colour);
      if (i > 0) out += "  ";
      out += right_[i] ? gap + shown : shown + gap;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out + "\n";
  };
  std::string out = line([&](size_t i) { return Cell{headers_[i], Colour::dim}; });
  for (const auto& row : rows_) out += line([&](size_t i) { return row[i]; });
  return out;
}

}  // namespace halftone::cli
