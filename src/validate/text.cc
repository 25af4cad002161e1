// SPDX-License-Identifier: Apache-2.0
#include "validate/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/numbers.h"
#include "base/utf8.h"

namespace halftone {
namespace {

bool is_continuation(unsigned char c) { return (c & 0xC0) == 0x80; }

}  // namespace

std::string valid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size();) {
    const Utf8Step step = utf8_step(bytes, i);
    out += step.code_point < 0 ? kReplacementCharacter : bytes.substr(i, step.length);
    i += step.length;
  }
  return out;
}

std::string excerpt(std::string_view text, size_t max_bytes) {
  constexpr std::string_view kGap = " ... ";
  if (text.size() <= max_bytes || max_bytes <= kGap.size()) return std::string(text);
  size_t head = (max_bytes - kGap.size()) / 3;
  size_t tail = text.size() - (max_bytes - kGap.size() - head);
  while (head > 0 && is_continuation(static_cast<unsigned char>(text[head]))) --head;
  while (tail < text.size() && is_continuation(static_cast<unsigned char>(text[tail]))) ++tail;
  return fmt::format("{}{}{}", text.substr(0, head), kGap, text.substr(tail));
}

double round_significant(double value, int digits) {
  if (!std::isfinite(value)) return value;
  return parse_number(fmt::format("{:.{}e}", value, digits - 1)).value_or(value);
}

int64_t line_of(std::string_view text, size_t offset) {
  return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size())), '\n');
}

}  // namespace halftone
