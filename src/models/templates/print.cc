// SPDX-License-Identifier: Apache-2.0
// Values as text, the way Python's str(), repr() and json.dumps() write them.
#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "base/utf8.h"
#include "models/templates/value.h"

namespace halftone::jinja {

// Shortest digits that read back, in Python's layout: an exponent from 1e16 on and below 1e-4.
std::string text_of(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  const double magnitude = std::fabs(number);
  if (magnitude != 0 && (magnitude >= 1e16 || magnitude < 1e-4)) {
    std::string text = fmt::format("{:e}", number);
    for (int digits = 0; digits < 18; ++digits) {
      text = fmt::format("{:.{}e}", number, digits);
      if (std::strtod(text.c_str(), nullptr) == number) break;
    }
    return text;
  }
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

namespace {

bool printable(int32_t code_point) {
  if (code_point == ' ') return true;
  switch (utf8proc_category(code_point)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

std::string repr(std::string_view text) {
  const bool single = text.find('\'') == std::string_view::npos || text.find('"') != std::string_view::npos;
  std::string out(1, single ? '\'' : '"');
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    const int32_t code = step.code_point;
    if (code == '\n' || code == '\r' || code == '\t') {
      out += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    } else if (code == '\\' || (single && code == '\'')) {
      out.append("\\").append(1, static_cast<char>(code));
    } else if (!printable(code)) {
      out += code < 0x100     ? fmt::format("\\x{:02x}", code)
             : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                              : fmt::format("\\U{:08x}", code);
    } else {
      out.append(text, at, step.length);
    }
    at += step.length;
  }
  return out += out.front();
}

void append_json_text(std::string_view text, bool ascii, std::string& out) {
  out += '"';
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    const int32_t code = step.code_point;
    static constexpr std::string_view kEscaped = "\"\\\n\r\t\b\f", kLetters = "\"\\nrtbf";
    const size_t escape = code < 0x80 ? kEscaped.find(static_cast<char>(code)) : std::string_view::npos;
    if (escape != std::string_view::npos) {
      out.append("\\").append(1, kLetters[escape]);
    } else if (code < 0x20 || (ascii && code >= 0x7F && code < 0x10000)) {
      out += fmt::format("\\u{:04x}", code);
    } else if (ascii && code >= 0x10000) {
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF));
    } else {
      out.append(text, at, step.length);
    }
    at += step.length;
  }
  out += '"';
}

// One walk for both ways to write.
class Printer {
 public:
  Printer(const JsonStyle* json, size_t limit) : json_(json), limit_(limit) {}

  Status write(const Value& value, int depth) {
    if (out_.size() > limit_) return unsupported("expected at most {} bytes of text", limit_);
    if (depth > kMaxNesting) return unsupported("expected a value of at most {} levels", kMaxNesting);
    if (value.is<List*>()) return write_list(*value.as<List*>(), depth);
    if (value.is<Dict*>()) return write_dict(*value.as<Dict*>(), depth);
    if (value.is<Text>()) {
      if (json_ != nullptr) {
        append_json_text(value.text(), json_->ascii, out_);
      } else {
        out_ += repr(value.text());
      }
    } else if (value.is<bool>()) {
      out_ += json_ != nullptr ? (value.as<bool>() ? "true" : "false") : (value.as<bool>() ? "True" : "False");
    } else if (value.is<None>()) {
      out_ += json_ != nullptr ? "null" : "None";
    } else if (value.is<int64_t>()) {
      out_ += fmt::format("{}", value.as<int64_t>());
    } else if (value.is<double>()) {
      out_ += json_ != nullptr ? json_number(value.as<double>()) : text_of(value.as<double>());
    } else if (value.is<Undefined>() && json_ == nullptr) {
      out_ += "Undefined";
    } else {
      return unsupported("expected a value that can be written, got {}", value.kind());
    }
    return {};
  }
  std::string take() { return std::move(out_); }

 private:
  static std::string json_number(double number) {
    if (std::isnan(number)) return "NaN";
    return std::isinf(number) ? (number < 0 ? "-Infinity" : "Infinity") : text_of(number);
  }
  void line(int depth) {
    if (json_ == nullptr || json_->indent < 0) return;
    out_.append("\n").append(static_cast<size_t>(json_->indent) * static_cast<size_t>(depth), ' ');
  }
  void between(bool first) {
    if (!first) out_ += json_ != nullptr ? json_->item : ", ";
  }

  Status write_list(const List& items, int depth) {
    const bool tuple = items.tuple && json_ == nullptr;
    out_ += tuple ? '(' : '[';
    for (size_t i = 0; i < items.size(); ++i) {
      between(i == 0);
      line(depth + 1);
      HALFTONE_TRY(write(items[i], depth + 1));
    }
    if (!items.empty()) line(depth);
    if (tuple && items.size() == 1) out_ += ',';
    out_ += tuple ? ')' : ']';
    return {};
  }

  Status write_dict(const Dict& dict, int depth) {
    std::vector<const std::pair<std::string, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (json_ != nullptr && json_->sort_keys)
      std::sort(entries.begin(), entries.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
    out_ += '{';
    for (size_t i = 0; i < entries.size(); ++i) {
      between(i == 0);
      line(depth + 1);
      if (json_ != nullptr) {
        append_json_text(entries[i]->first, json_->ascii, out_);
      } else {
        out_ += repr(entries[i]->first);
      }
      out_ += json_ != nullptr ? json_->key : ": ";
      HALFTONE_TRY(write(entries[i]->second, depth + 1));
    }
    if (!entries.empty()) line(depth);
    out_ += '}';
    return {};
  }

  const JsonStyle* json_;
  size_t limit_;
  std::string out_;
};

}  // namespace

Result<std::string> to_text(const Value& value, size_t limit) {
  if (value.is<Text>()) return value.text();
  if (value.is<Undefined>()) return std::string();
  Printer printer(nullptr, limit);
  HALFTONE_TRY(printer.write(value, 0));
  return printer.take();
}

Result<std::string> to_json(const Value& value, const JsonStyle& style, size_t limit) {
  Printer printer(&style, limit);
  HALFTONE_TRY(printer.write(value, 0));
  return printer.take();
}

}  // namespace halftone::jinja
