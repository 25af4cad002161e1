// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include "models/tokenizers/pattern.h"

#include <pcre2.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/utf8.h"

namespace halftone {
namespace {

constexpr uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NO_UTF_CHECK;
constexpr size_t kJitStackStart = 32 * 1024, kJitStackMax = 64 * 1024 * 1024;
// Steps that one match may take: enough for a run of spaces as long as the text, not for an expression that explodes.
constexpr size_t kBaseSteps = 1'000'000, kStepsPerByte = 16;

std::string message_of(int code) {
  std::array<unsigned char, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

PCRE2_SPTR units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

}  // namespace

struct Pattern::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

struct Pattern::Matcher::State {
  pcre2_match_data* data = nullptr;
  pcre2_match_context* context = nullptr;
  pcre2_jit_stack* stack = nullptr;

  ~State() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }

  // The first match at or behind `from`, or a PCRE2 error code.
  int match(const pcre2_code* code, std::string_view subject, size_t from) {
    int found = pcre2_match(code, units(subject), subject.size(), from, PCRE2_NO_UTF_CHECK, data, context);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT && stack == nullptr) {
      stack = pcre2_jit_stack_create(kJitStackStart, kJitStackMax, nullptr);
      pcre2_jit_stack_assign(context, nullptr, stack);
      found = pcre2_match(code, units(subject), subject.size(), from, PCRE2_NO_UTF_CHECK, data, context);
    }
    return found;
  }
};

Pattern Pattern::literal(std::string text) {
  Pattern pattern;
  pattern.text_ = std::move(text);
  return pattern;
}

Result<Pattern> Pattern::regex(std::string_view expression, std::string_view place) {
  if (first_invalid_utf8(expression)) {
    return invalid_input("{}: expected a regular expression in UTF-8", place);
  }
  if (const SplitKind kind = split_kind_of(expression); kind != SplitKind::none) {
    Pattern known;
    known.text_ = expression;
    known.kind_ = kind;
    return known;
  }
  auto code = std::make_shared<Code>();
  int error = 0;
  size_t offset = 0;
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  code->code = pcre2_compile(units(expression), expression.size(), kOptions, &error, &offset, context);
  pcre2_compile_context_free(context);
  if (code->code == nullptr) {
    return invalid_input("{}: expected a regular expression, got \"{}\": {} at character {}", place, expression,
                         message_of(error), offset);
  }
  // Where the machine forbids generated code, the same expression is interpreted.
  (void)pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);
  Pattern pattern;
  pattern.text_ = expression;
  pattern.code_ = std::move(code);
  return pattern;
}

Result<Pattern> Pattern::read(JsonReader& reader, std::string_view key) {
  JsonReader pattern = reader.object(key);
  pattern.only({"String", "Regex"});
  const std::string literal_text = pattern.text("String", ""), expression = pattern.text("Regex", "");
  HALFTONE_TRY(pattern.status());
  if (pattern.has("String") == pattern.has("Regex")) {
    return invalid_input("{}: expected either \"String\" or \"Regex\"", reader.place(key));
  }
  if (pattern.has("Regex")) return regex(expression, reader.place(key));
  if (literal_text.empty()) return invalid_input("{}: expected a string of at least one character", reader.place(key));
  return literal(literal_text);
}

Pattern::Matcher::Matcher(const Pattern& pattern) : pattern_(&pattern) {
  if (!pattern.code_) return;
  state_ = std::make_unique<State>();
  state_->data = pcre2_match_data_create_from_pattern(pattern.code_->code, nullptr);
  state_->context = pcre2_match_context_create(nullptr);
}
Pattern::Matcher::~Matcher() = default;
Pattern::Matcher::Matcher(Matcher&&) noexcept = default;
Pattern::Matcher& Pattern::Matcher::operator=(Matcher&&) noexcept = default;

Status Pattern::Matcher::find_all_literal(std::string_view subject, size_t offset, std::vector<Range>& matches) const {
  const std::string& text = pattern_->text_;
  for (size_t at = subject.find(text); at != std::string_view::npos; at = subject.find(text, at + text.size())) {
    matches.push_back({offset + at, offset + at + text.size()});
  }
  return {};
}

Status Pattern::Matcher::find_all(std::string_view subject, size_t offset, std::vector<Range>& matches) {
  if (pattern_->kind_ != SplitKind::none) {
    scan_split(pattern_->kind_, subject, offset, matches);
    return {};
  }
  if (!state_) return find_all_literal(subject, offset, matches);
  const pcre2_code* code = pattern_->code_->code;
  pcre2_set_match_limit(state_->context, static_cast<uint32_t>(std::min<size_t>(
                                             kBaseSteps + kStepsPerByte * subject.size(), 0xFFFFFFFF)));
  size_t at = 0, last_end = std::string_view::npos;
  while (at <= subject.size()) {
    const int found = state_->match(code, subject, at);
    if (found == PCRE2_ERROR_NOMATCH) return {};
    if (found < 0) {
      return unsupported(
          "[tokenizer] regular expression \"{}\": expected a match in a bounded number of steps, got: {}",
          pattern_->text_, message_of(found));
    }
    const size_t* span = pcre2_get_ovector_pointer(state_->data);
    const size_t begin = span[0], end = span[1];
    if (begin > end) return unsupported("[tokenizer] regular expression \"{}\": \\K beyond a match", pattern_->text_);
    if (begin == end && end == last_end) {
      at = end < subject.size() ? end + utf8_length(subject[end]) : end + 1;
      continue;
    }
    matches.push_back({offset + begin, offset + end});
    at = last_end = end;
  }
  return {};
}

}  // namespace halftone
