// SPDX-License-Identifier: Apache-2.0
#include <utf8proc.h>

#include "base/utf8.h"
#include "models/templates/machine.h"
#include "models/tokenizers/unicode.h"

namespace halftone::jinja {
namespace {

// Python counts four control characters that Unicode does not.
bool is_python_space(int32_t code_point) {
  return is_white_space(code_point) || (code_point >= 0x1C && code_point <= 0x1F);
}

size_t last_character(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

}  // namespace

size_t count_characters(std::string_view text) {
  size_t count = 0;
  for (const char byte : text) count += (static_cast<uint8_t>(byte) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

bool is_space_at(std::string_view text, size_t at) { return is_python_space(utf8_step(text, at).code_point); }

std::string_view strip(std::string_view text, const std::string* characters, bool left, bool right) {
  const auto goes = [&](size_t at) {
    const Utf8Step step = utf8_step(text, at);
    if (characters == nullptr) return is_python_space(step.code_point);
    return characters->find(text.substr(at, step.length)) != std::string::npos;
  };
  while (left && !text.empty() && goes(0)) text.remove_prefix(utf8_length(text[0]));
  while (right && !text.empty() && goes(last_character(text))) text.remove_suffix(text.size() - last_character(text));
  return text;
}

std::string with_letters(std::string_view text, Letters letters) {
  std::string out;
  bool begins = true;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    const utf8proc_category_t category = utf8proc_category(step.code_point);
    const bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
    const bool large = letters == Letters::upper || (letters != Letters::lower && begins);
    append_utf8(out, large ? utf8proc_toupper(step.code_point) : utf8proc_tolower(step.code_point));
    if (letters == Letters::title) {
      begins = !letter;
    } else {
      begins = letters == Letters::words &&
               (is_python_space(step.code_point) ||
                (step.code_point < 0x80 && std::string_view("-({[<").find(text[at]) != std::string_view::npos));
    }
    at += step.length;
  }
  return out;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to, int64_t count) {
  std::string out;
  size_t at = 0;
  while (count != 0) {
    size_t found = text.find(from, at);
    if (from.empty()) found = at;
    if (found == std::string_view::npos || found > text.size()) break;
    out.append(text.substr(at, found - at)).append(to);
    at = found + from.size();
    if (count > 0) --count;
    if (!from.empty()) continue;
    if (at == text.size()) return out;  // Python puts `to` around every character
    const size_t length = utf8_length(text[at]);
    out += text.substr(at, length);
    at += length;
  }
  return out.append(text.substr(at));
}

}  // namespace halftone::jinja
