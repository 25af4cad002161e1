// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "halftone/status.h"
#include "models/json_reader.h"
#include "models/tokenizers/pattern.h"

namespace halftone {

// A text and the pieces of it that are tokenized apart. The text is the caller's until a step rewrites it.
struct PreTokens {
  std::string_view text;
  std::string rewritten;
  std::vector<Range> ranges;
  bool starts_text = true;  // the first piece is where the whole text begins
};

// The "pre_tokenizer" of a tokenizer.json: cuts text into pieces that no merge crosses. Immutable.
class PreTokenizer {
 public:
  PreTokenizer() = default;  // one piece
  static Result<PreTokenizer> read(JsonReader& tokenizer);
  // Every match of the expression apart, and symbols are bytes.
  static Result<PreTokenizer> byte_level(std::string_view expression);
  // The vocabulary is written in the byte alphabet: symbols are bytes.
  bool byte_level() const { return byte_level_; }
  bool empty() const { return steps_.empty(); }
  // Matchers of one caller, one per step.
  std::vector<Pattern::Matcher> matchers() const;
  // Cuts every range further. REQUIRES: valid UTF-8; pieces.ranges not empty ones.
  Status apply(PreTokens& pieces, std::vector<Pattern::Matcher>& matchers) const;

 private:
  enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };
  struct Step {
    // A prefix and its rule are applied first (ByteLevel, Metaspace), then the cut.
    enum class Prefix { never, first, always } prefix = Prefix::never;
    std::string marker;   // what begins a word: " " or "▁"
    bool escape = false;  // spaces become the marker
    bool split = false;
    Pattern pattern;
    Behavior behavior = Behavior::isolated;
    bool invert = false;
  };
  Status read_step(JsonReader& reader, int depth);
  Status read_split(JsonReader& reader);
  Status read_metaspace(JsonReader& reader);
  Status read_byte_level(JsonReader& reader);
  static Result<Behavior> behavior_named(JsonReader& reader, std::string_view fallback);
  Status add_cut(Pattern pattern, Behavior behavior, bool invert);
  Status add_regex(std::string_view expression, Behavior behavior, bool invert = false);
  Status read_known_cut(JsonReader& reader, std::string_view type);
  static void rewrite(const Step& step, PreTokens& pieces);
  static Status cut(const Step& step, Pattern::Matcher& matcher, PreTokens& pieces);
  std::vector<Step> steps_;
  bool byte_level_ = false;
};

}  // namespace halftone
