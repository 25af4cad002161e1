// SPDX-License-Identifier: Apache-2.0
#include "base/numbers.h"

#include <charconv>
#include <cmath>
#include <locale>
#include <sstream>
#include <string>

namespace halftone {
namespace {

size_t digits_from(std::string_view text, size_t at) {
  size_t n = 0;
  while (at + n < text.size() && text[at + n] >= '0' && text[at + n] <= '9') ++n;
  return n;
}

bool is_sign(std::string_view text, size_t at) { return at < text.size() && (text[at] == '-' || text[at] == '+'); }

}  // namespace

size_t number_length(std::string_view text) {
  size_t at = is_sign(text, 0) ? 1 : 0;
  size_t digits = digits_from(text, at);
  at += digits;
  if (at < text.size() && text[at] == '.') {
    const size_t fraction = digits_from(text, at + 1);
    if (digits + fraction > 0) at += 1 + fraction;
    digits += fraction;
  }
  if (digits == 0) return 0;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    const size_t mark = at + (is_sign(text, at + 1) ? 2 : 1);
    if (const size_t exponent = digits_from(text, mark); exponent > 0) at = mark + exponent;
  }
  return at;
}

std::optional<double> parse_number(std::string_view text) {
  constexpr size_t kLongest = 512;  // longer ones are not written by people
  if (text.size() > kLongest || number_length(text) != text.size() || text.empty()) return std::nullopt;
  std::istringstream stream{std::string(text)};  // from_chars for double is missing in some standard libraries
  stream.imbue(std::locale::classic());
  double value = 0;
  stream >> value;
  if (stream.fail() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<int64_t> parse_integer(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace halftone
