// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"
#include "models/json_reader.h"
#include "models/tokenizers/split_scanner.h"

namespace halftone {

// A part of a text, in bytes.
struct Range {
  size_t begin, end;
  bool operator==(const Range&) const = default;
};

// What a tokenizer.json searches for: a fixed string or a regular expression (Unicode classes, Ruby's meaning of ^ and
// $). Immutable; shared between threads.
class Pattern {
 public:
  static Pattern literal(std::string text);
  // `place` opens the message of an expression that does not compile.
  static Result<Pattern> regex(std::string_view expression, std::string_view place);
  // {"String": ...} or {"Regex": ...} under `key`.
  static Result<Pattern> read(JsonReader& reader, std::string_view key);

  // Nothing lies between matches, and none is empty.
  bool covers_text() const { return kind_ != SplitKind::none; }

  // Scratch of one caller and one pattern.
  class Matcher {
   public:
    explicit Matcher(const Pattern& pattern);
    ~Matcher();
    Matcher(Matcher&&) noexcept;
    Matcher& operator=(Matcher&&) noexcept;
    // Appends every match in `subject`, left to right; empty matches too, but none right behind another match.
    // Ranges count from `offset`. REQUIRES: valid UTF-8. An expression that needs too many steps is an error.
    Status find_all(std::string_view subject, size_t offset, std::vector<Range>& matches);

   private:
    Status find_all_literal(std::string_view subject, size_t offset, std::vector<Range>& matches) const;
    struct State;
    const Pattern* pattern_;
    std::unique_ptr<State> state_;
  };

 private:
  struct Code;
  std::string text_;                  // the literal, or the expression
  std::shared_ptr<const Code> code_;  // null: a literal, or one of the known expressions
  SplitKind kind_ = SplitKind::none;
};

}  // namespace halftone
