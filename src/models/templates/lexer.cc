// SPDX-License-Identifier: Apache-2.0
#include "models/templates/lexer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/utf8.h"

namespace halftone::jinja {
namespace {

using Kind = Token::Kind;

bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0; }

class Lexer {
 public:
  Lexer(std::string source, std::string_view name) : source_(std::move(source)), name_(name) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) HALFTONE_TRY(step());
    add(Kind::end);
    return std::move(tokens_);
  }

 private:
  template <class... Args>
  Status fail(fmt::format_string<Args...> format, Args&&... args) const {
    return invalid_input("[template] {}: line {}: {}", name_, line_, fmt::format(format, std::forward<Args>(args)...));
  }
  bool here(std::string_view text) const { return std::string_view(source_).substr(at_, text.size()) == text; }
  void add(Kind kind, std::string text = {}) { tokens_.push_back({kind, std::move(text), 0, 0, line_}); }
  void skip(size_t bytes) {
    const auto begin = source_.begin() + static_cast<std::ptrdiff_t>(at_);
    line_ += static_cast<int>(std::count(begin, begin + static_cast<std::ptrdiff_t>(bytes), '\n'));
    at_ += bytes;
  }
  void skip_blanks() {
    while (at_ < source_.size() && blank(source_[at_])) skip(1);
  }

  // Text up to the next tag, and the tag.
  Status step() {
    size_t tag = at_;
    do {
      tag = source_.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= source_.size()) tag = source_.size();
    } while (tag < source_.size() && std::string_view("{%#").find(source_[tag + 1]) == std::string_view::npos && ++tag);
    if (tag == source_.size()) {
      add_text(source_.substr(at_));
      skip(source_.size() - at_);
      return {};
    }
    const char kind = source_[tag + 1], control = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    std::string text = source_.substr(at_, tag - at_);
    if (control == '-') {
      while (!text.empty() && blank(text.back())) text.pop_back();
    } else if (kind != '{' && control != '+') {
      strip_line_start(text);
    }
    add_text(std::move(text));
    skip(tag - at_ + (control == '-' || (control == '+') ? 3 : 2));
    line_starts_ = false;
    if (kind == '#') return comment();
    if (kind == '{') return tag_body(Kind::print_begin, Kind::print_end, "}}");
    if (is_raw()) return raw();
    return tag_body(Kind::block_begin, Kind::block_end, "%}");
  }

  void add_text(std::string text) {
    if (!text.empty()) add(Kind::text, std::move(text));
  }

  // lstrip_blocks: white space between the start of the line and the tag.
  void strip_line_start(std::string& text) const {
    const size_t newline = text.rfind('\n');
    if (newline == std::string::npos && !line_starts_) return;
    const size_t begin = newline == std::string::npos ? 0 : newline + 1;
    if (std::all_of(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(), blank)) text.resize(begin);
  }

  // Behind a tag's end. trim_blocks: one newline goes.
  void end_tag(bool strip, bool trim) {
    const size_t before = at_;
    if (strip) {
      skip_blanks();
    } else if (trim && here("\n")) {
      skip(1);
    }
    line_starts_ = at_ > before && source_[at_ - 1] == '\n';
  }

  Status comment() {
    const size_t end = source_.find("#}", at_);
    if (end == std::string::npos) return fail("expected #}} to close the comment, got the end of the template");
    const char control = end > at_ ? source_[end - 1] : '\0';
    skip(end + 2 - at_);
    end_tag(control == '-', control != '+');
    return {};
  }

  bool is_raw() const {
    size_t at = at_;
    while (at < source_.size() && blank(source_[at])) ++at;
    if (source_.compare(at, 3, "raw") != 0) return false;
    at += 3;
    while (at < source_.size() && blank(source_[at])) ++at;
    if (at < source_.size() && (source_[at] == '-' || source_[at] == '+')) ++at;
    return source_.compare(at, 2, "%}") == 0;
  }

  // {% raw %} ... {% endraw %}: text without tags.
  Status raw() {
    const size_t open = source_.find("%}", at_);
    const char control = source_[open - 1];
    skip(open + 2 - at_);
    end_tag(control == '-', control != '+');
    for (size_t tag = source_.find("{%", at_); tag != std::string::npos; tag = source_.find("{%", tag + 2)) {
      size_t at = tag + 2;
      const bool strip = at < source_.size() && source_[at] == '-';
      const bool keep = at < source_.size() && source_[at] == '+';
      if (strip || keep) ++at;
      while (at < source_.size() && blank(source_[at])) ++at;
      if (source_.compare(at, 6, "endraw") != 0) continue;
      at += 6;
      while (at < source_.size() && blank(source_[at])) ++at;
      const char last = at < source_.size() ? source_[at] : '\0';
      if (last == '-' || last == '+') ++at;
      if (source_.compare(at, 2, "%}") != 0) continue;
      std::string text = source_.substr(at_, tag - at_);
      while (strip && !text.empty() && blank(text.back())) text.pop_back();
      if (!strip && !keep) strip_line_start(text);
      add_text(std::move(text));
      skip(at + 2 - at_);
      end_tag(last == '-', last != '+');
      return {};
    }
    return fail("expected {{% endraw %}}, got the end of the template");
  }

  Status tag_body(Kind begin, Kind end, std::string_view close) {
    add(begin);
    std::string open;  // brackets
    while (true) {
      skip_blanks();
      if (at_ >= source_.size()) return fail("expected {} to close the tag, got the end of the template", close);
      if (open.empty()) {
        const bool minus = source_[at_] == '-', plus = source_[at_] == '+' && close == "%}";
        const size_t skipped = minus || plus ? 1 : 0;
        if (source_.compare(at_ + skipped, 2, close) == 0) {
          add(end);
          skip(skipped + 2);
          end_tag(minus, close == "%}" && !plus);
          return {};
        }
      }
      HALFTONE_TRY(token(open));
    }
  }

  Status token(std::string& open) {
    const char c = source_[at_];
    if (c == '"' || c == '\'') return string(c);
    if (digit(c)) return number();
    if (name_start(c)) {
      size_t end = at_;
      while (end < source_.size() && (name_start(source_[end]) || digit(source_[end]))) ++end;
      add(Kind::name, source_.substr(at_, end - at_));
      skip(end - at_);
      return {};
    }
    static constexpr std::array<std::string_view, 24> kSymbols = {"**", "//", "==", "!=", "<=", ">=", "+", "-",
                                                                  "*",  "/",  "%",  "~",  "<",  ">",  "=", "(",
                                                                  ")",  "[",  "]",  "{",  "}",  ",",  ".", ":"};
    for (const std::string_view symbol : kSymbols) {
      if (here(symbol)) return add_symbol(symbol, open);
    }
    if (c == '|') return add_symbol("|", open);
    return fail("expected an expression, got \"{}\"", source_.substr(at_, utf8_step(source_, at_).length));
  }

  Status add_symbol(std::string_view symbol, std::string& open) {
    constexpr std::string_view kOpening = "([{", kClosing = ")]}";
    if (symbol.size() == 1 && kOpening.find(symbol[0]) != std::string_view::npos) open += symbol[0];
    const size_t closing = symbol.size() == 1 ? kClosing.find(symbol[0]) : std::string_view::npos;
    if (closing != std::string_view::npos) {
      if (open.empty() || open.back() != kOpening[closing])
        return fail("expected brackets in pairs, got \"{}\"", symbol);
      open.pop_back();
    }
    add(Kind::symbol, std::string(symbol));
    skip(symbol.size());
    return {};
  }

  Status number() {
    std::string digits;
    size_t end = at_;
    const auto take = [&] {
      while (end < source_.size() && (digit(source_[end]) || (source_[end] == '_' && digit(source_[end - 1])))) {
        if (source_[end] != '_') digits += source_[end];
        ++end;
      }
    };
    take();
    bool real = false;
    if (end + 1 < source_.size() && source_[end] == '.' && digit(source_[end + 1])) {
      real = true;
      digits += source_[end++];
      take();
    }
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
      if (exponent < source_.size() && digit(source_[exponent])) {
        real = true;
        digits += source_.substr(end, exponent - end);
        end = exponent;
        take();
      }
    }
    add(real ? Kind::real : Kind::integer);
    if (real) tokens_.back().real = std::strtod(digits.c_str(), nullptr);
    errno = 0;
    if (!real) tokens_.back().integer = std::strtoll(digits.c_str(), nullptr, 10);
    if (!real && errno == ERANGE) return fail("expected a number below 2^63, got {}", digits);
    skip(end - at_);
    return {};
  }

  Status string(char quote) {
    const size_t end = end_of_string(quote);
    if (end == std::string::npos) return fail("expected {} to close the string, got the end of the template", quote);
    add(Kind::string);
    std::string text;
    for (size_t at = at_ + 1; at < end;) {
      if (source_[at] != '\\') {
        text += source_[at++];
      } else {
        HALFTONE_TRY(escape(at, text));
      }
    }
    if (first_invalid_utf8(text)) return fail("expected a string of Unicode characters");
    tokens_.back().text = std::move(text);
    skip(end + 1 - at_);
    return {};
  }

  size_t end_of_string(char quote) const {
    for (size_t at = at_ + 1; at < source_.size(); ++at) {
      if (source_[at] == '\\') {
        ++at;
      } else if (source_[at] == quote) {
        return at;
      }
    }
    return std::string::npos;
  }

  // At a backslash. Python keeps those that it does not know.
  Status escape(size_t& at, std::string& text) const {
    constexpr std::string_view kLetters = "ntrbfva\\'\"0", kMeanings("\n\t\r\b\f\v\a\\'\"\0", 11);
    const char letter = source_[at + 1];
    const size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    at += 2;
    if (digits > 0) {
      const std::string hex = source_.substr(at, digits);
      char* end = nullptr;
      const unsigned long code = std::strtoul(hex.c_str(), &end, 16);
      if (hex.size() != digits || end != hex.c_str() + digits || code > 0x10FFFF)
        return fail("expected {} hexadecimal digits of a character, got \"{}\"", digits, hex);
      append_utf8(text, static_cast<int32_t>(code));
      at += digits;
      return {};
    }
    const size_t known = kLetters.find(letter);
    if (letter == '\n') return {};  // the line goes on
    if (known == std::string_view::npos) {
      text.append("\\").append(1, letter);
    } else {
      text += kMeanings[known];
    }
    return {};
  }

  std::string source_;
  std::string_view name_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starts_ = true;  // a line begins at at_
  std::vector<Token> tokens_;
};

// All newlines are \n, and the last one goes.
std::string with_newlines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    text += source[i] == '\r' ? '\n' : source[i];
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

Result<std::vector<Token>> lex(std::string_view source, std::string_view name) {
  return Lexer(with_newlines(source), name).run();
}

}  // namespace halftone::jinja
