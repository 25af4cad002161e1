// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/split_scanner.h"

#include <utf8proc.h>

#include <array>
#include <utility>

#include "base/utf8.h"
#include "models/tokenizers/pattern.h"
#include "models/tokenizers/split_patterns.h"
#include "models/tokenizers/unicode.h"

namespace halftone {
namespace {

// What the expressions ask of a character. A mark and a letter without case may be in both classes of a cased word.
enum : uint8_t { kLetter = 1, kNumber = 2, kSpace = 4, kNewline = 8, kFirst = 16, kRest = 32 };

uint8_t class_of(int32_t code_point) {
  if (is_white_space(code_point)) return code_point == '\n' || code_point == '\r' ? kSpace | kNewline : kSpace;
  switch (utf8proc_category(code_point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      return kLetter | kFirst;
    case UTF8PROC_CATEGORY_LL:
      return kLetter | kRest;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return kLetter | kFirst | kRest;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return kFirst | kRest;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return kNumber;
    default:
      return 0;
  }
}

const std::array<uint8_t, 128>& ascii_classes() {
  static const std::array<uint8_t, 128> kClasses = [] {
    std::array<uint8_t, 128> classes{};
    for (int32_t i = 0; i < 128; ++i) classes[static_cast<size_t>(i)] = class_of(i);
    return classes;
  }();
  return kClasses;
}

class SplitScanner {
 public:
  SplitScanner(SplitKind kind, std::string_view text)
      : kind_(kind),
        text_(text),
        ascii_(ascii_classes().data()),
        digits_(kind == SplitKind::qwen2 || kind == SplitKind::tekken ? 1 : 3) {}

  // The end of the match at `at`. REQUIRES: at < text.size()
  size_t match(size_t at) const {
    if (kind_ == SplitKind::gpt2) return match_gpt2(at);
    if (kind_ == SplitKind::llama3 || kind_ == SplitKind::qwen2) {
      const size_t end = contraction(at, true);
      if (end > at) return end;
    }
    const auto [first, length] = look(at);
    const size_t behind = at + length;
    const size_t word_end = cased() ? cased_word(at, first, behind) : word(at, first, behind);
    if (word_end > at) return word_end;
    if ((first & kNumber) != 0) return run(behind, kNumber, digits_ - 1);
    const size_t signs = text_[at] == ' ' ? behind : at;
    const size_t signs_end = run_of_signs(signs);
    if (signs_end > signs) return newlines(signs_end);
    return spaces(at, true);
  }

 private:
  struct Look {
    uint8_t classes;
    size_t length;
  };
  // The character at `at`; nothing behind the end.
  Look look(size_t at) const {
    if (at >= text_.size()) return {0, 0};
    const auto byte = static_cast<uint8_t>(text_[at]);
    if (byte < 0x80) return {ascii_[byte], 1};
    const Utf8Step step = utf8_step(text_, at);
    return {class_of(step.code_point), step.length};
  }
  bool cased() const { return kind_ == SplitKind::o200k || kind_ == SplitKind::tekken; }

  // Behind the characters from `at` on that have one of `classes`. Nearly all of a text passes here, in few
  // instructions.
  size_t run(size_t at, uint8_t classes) const {
    const auto* const bytes = reinterpret_cast<const uint8_t*>(text_.data());
    const size_t size = text_.size();
    while (true) {
      while (at < size && bytes[at] < 0x80 && (ascii_[bytes[at]] & classes) != 0) ++at;
      if (at == size || bytes[at] < 0x80) return at;
      const auto [found, length] = look(at);
      if ((found & classes) == 0) return at;
      at += length;
    }
  }
  // At most `count` of them.
  size_t run(size_t at, uint8_t classes, size_t count) const {
    for (; count > 0; --count) {
      const auto [found, length] = look(at);
      if ((found & classes) == 0) break;
      at += length;
    }
    return at;
  }
  size_t run_of_signs(size_t at) const {
    while (true) {
      const auto [found, length] = look(at);
      if (length == 0 || (found & (kLetter | kNumber | kSpace)) != 0) return at;
      at += length;
    }
  }
  size_t newlines(size_t at) const {
    while (at < text_.size() && (text_[at] == '\r' || text_[at] == '\n' || (cased() && text_[at] == '/'))) ++at;
    return at;
  }

  // 's 't 're 've 'm 'll 'd; `at` when there is none.
  size_t contraction(size_t at, bool any_case) const {
    if (at + 1 >= text_.size() || text_[at] != '\'') return at;
    const auto letter = [&](size_t i) {
      const char c = i < text_.size() ? text_[i] : '\0';
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    };
    const char first = letter(at + 1), second = letter(at + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
    if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l'))
      return at + 3;
    if (any_case && text_.substr(at + 1, 2) == "\xC5\xBF") return at + 3;  // ſ, another small s
    return at;
  }

  // [^\r\n\p{L}\p{N}]?\p{L}+
  size_t word(size_t at, uint8_t first, size_t behind) const {
    if ((first & kLetter) != 0) return run(behind, kLetter);
    if ((first & (kNumber | kNewline)) != 0) return at;
    const size_t end = run(behind, kLetter);
    return end > behind ? end : at;
  }

  // The two alternatives for words that begin with capitals or go on without them; with and without a sign before.
  size_t cased_word(size_t at, uint8_t first, size_t behind) const {
    const bool prefix = (first & (kLetter | kNumber | kNewline)) == 0;
    for (const bool lower : {true, false}) {
      for (const size_t begin : {prefix ? behind : at, at}) {
        const size_t end = cased_from(begin, lower);
        if (end == begin) continue;
        return kind_ == SplitKind::o200k ? contraction(end, true) : end;
      }
    }
    return at;
  }
  // [first]*[rest]+ where `lower`, else [first]+[rest]*; `at` when it does not match.
  size_t cased_from(size_t at, bool lower) const {
    size_t end = at, last_rest_end = at;  // behind the last character that may be both
    while (true) {
      const auto [found, length] = look(end);
      if ((found & kFirst) == 0) break;
      end += length;
      if ((found & kRest) != 0) last_rest_end = end;
    }
    const size_t rest = run(end, kRest);
    if (!lower) return end > at ? rest : at;
    return rest > end ? rest : last_rest_end;
  }

  // \s*[\r\n]+ (where wanted), \s+(?!\S), \s+
  size_t spaces(size_t at, bool end_at_newline) const {
    size_t end = at, last = at, newline_end = at;
    while (true) {
      const auto [found, length] = look(end);
      if ((found & kSpace) == 0) break;
      last = end;
      end += length;
      if ((found & kNewline) != 0) newline_end = end;
    }
    if (end_at_newline && newline_end > at) return newline_end;
    return end == text_.size() || last == at ? end : last;
  }

  size_t match_gpt2(size_t at) const {
    const size_t short_form = contraction(at, false);
    if (short_form > at) return short_form;
    const size_t begin = text_[at] == ' ' ? at + 1 : at;
    const auto [first, length] = look(begin);
    if ((first & kLetter) != 0) return run(begin + length, kLetter);
    if ((first & kNumber) != 0) return run(begin + length, kNumber);
    const size_t signs_end = run_of_signs(begin);
    return signs_end > begin ? signs_end : spaces(at, false);
  }

  SplitKind kind_;
  std::string_view text_;
  const uint8_t* ascii_;
  size_t digits_;
};

}  // namespace

SplitKind split_kind_of(std::string_view expression) {
  static constexpr std::array<std::pair<std::string_view, SplitKind>, 5> kKnown = {{{kGpt2Split, SplitKind::gpt2},
                                                                                    {kLlama3Split, SplitKind::llama3},
                                                                                    {kQwen2Split, SplitKind::qwen2},
                                                                                    {kO200kSplit, SplitKind::o200k},
                                                                                    {kTekkenSplit, SplitKind::tekken}}};
  for (const auto& [text, kind] : kKnown) {
    if (text == expression) return kind;
  }
  return SplitKind::none;
}

void scan_split(SplitKind kind, std::string_view text, size_t offset, std::vector<Range>& matches) {
  const SplitScanner scanner(kind, text);
  for (size_t at = 0; at < text.size();) {
    const size_t end = scanner.match(at);
    matches.push_back({offset + at, offset + end});
    at = end;
  }
}

}  // namespace halftone
