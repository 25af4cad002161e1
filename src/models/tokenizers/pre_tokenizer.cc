// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/pre_tokenizer.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "models/tokenizers/split_patterns.h"

namespace halftone {
namespace {

constexpr int kMaxPreTokenizers = 8;

struct Part {
  Range range;
  bool match;
};

// All of `range` as matches and what lies between them.
void parts_of(Range range, const std::vector<Range>& matches, bool invert, std::vector<Part>& parts) {
  size_t at = range.begin;
  for (const Range& match : matches) {
    if (match.begin > at) parts.push_back({{at, match.begin}, invert});
    parts.push_back({match, !invert});
    at = match.end;
  }
  if (at < range.end) parts.push_back({{at, range.end}, invert});
}

void push(std::vector<Range>& out, Range range) {
  if (range.begin < range.end) out.push_back(range);
}

// Matches and what lies between them, each apart.
void isolate(Range range, const std::vector<Range>& matches, std::vector<Range>& out) {
  size_t at = range.begin;
  for (const Range& match : matches) {
    push(out, {at, match.begin});
    push(out, match);
    at = match.end;
  }
  push(out, {at, range.end});
}

// A match joins what stands before it, unless that is a match too.
void merge_with_previous(const std::vector<Part>& parts, std::vector<Range>& out) {
  for (size_t i = 0; i < parts.size();) {
    Range range = parts[i].range;
    const bool joins = !parts[i].match && i + 1 < parts.size() && parts[i + 1].match;
    if (joins) range.end = parts[++i].range.end;
    push(out, range);
    ++i;
  }
}

// A match joins what stands behind it, unless that is a match too.
void merge_with_next(const std::vector<Part>& parts, std::vector<Range>& out) {
  for (size_t i = 0; i < parts.size();) {
    Range range = parts[i].range;
    const bool joins = parts[i].match && i + 1 < parts.size() && !parts[i + 1].match;
    if (joins) range.end = parts[++i].range.end;
    push(out, range);
    ++i;
  }
}

void join_contiguous(const std::vector<Part>& parts, std::vector<Range>& out) {
  for (size_t i = 0; i < parts.size();) {
    Range range = parts[i].range;
    const bool match = parts[i].match;
    while (++i < parts.size() && parts[i].match == match) range.end = parts[i].range.end;
    push(out, range);
  }
}

}  // namespace

Result<PreTokenizer> PreTokenizer::read(JsonReader& tokenizer) {
  PreTokenizer pre_tokenizer;
  if (!tokenizer.has("pre_tokenizer")) return pre_tokenizer;
  JsonReader reader = tokenizer.object("pre_tokenizer");
  HALFTONE_TRY(pre_tokenizer.read_step(reader, 0));
  return pre_tokenizer;
}

Status PreTokenizer::add_cut(Pattern pattern, Behavior behavior, bool invert) {
  Step step;
  step.split = true;
  step.pattern = std::move(pattern);
  step.behavior = behavior;
  step.invert = invert;
  steps_.push_back(std::move(step));
  return {};
}

Status PreTokenizer::read_step(JsonReader& reader, int depth) {
  const std::string type = reader.text("type", "");
  HALFTONE_TRY(reader.status());
  if (depth > kMaxPreTokenizers)
    return invalid_input("{}: expected at most {} nested sequences", reader.place(""), kMaxPreTokenizers);
  if (byte_level_) {
    return unsupported("{}: expected ByteLevel to be the last step, got {} behind it", reader.place("type"), type);
  }
  if (type == "Sequence") {
    reader.only({"type", "pretokenizers"});
    for (JsonReader& inner : reader.objects("pretokenizers")) HALFTONE_TRY(read_step(inner, depth + 1));
    return reader.status();
  }
  if (type == "Split") return read_split(reader);
  if (type == "Metaspace") return read_metaspace(reader);
  if (type == "ByteLevel") return read_byte_level(reader);
  return read_known_cut(reader, type);
}

// Those that are expressions with a name.
Status PreTokenizer::read_known_cut(JsonReader& reader, std::string_view type) {
  // Unicode's words; marks, digits and joiners belong to them.
  static constexpr std::string_view kWords =
      R"([\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200C}\x{200D}]+|[^\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200C}\x{200D}\s]+)";
  static constexpr std::string_view kPunctuation = R"([!-/:-@\[-`{-~\p{P}])";
  if (type == "Digits") {
    reader.only({"type", "individual_digits"});
    const bool each = reader.boolean("individual_digits", false);
    HALFTONE_TRY(reader.status());
    return add_regex("\\p{N}", each ? Behavior::isolated : Behavior::contiguous);
  }
  if (type == "Punctuation") {
    reader.only({"type", "behavior"});
    HALFTONE_ASSIGN(const Behavior behavior, behavior_named(reader, "Isolated"));
    return add_regex(kPunctuation, behavior);
  }
  if (type == "CharDelimiterSplit") {
    reader.only({"type", "delimiter"});
    const std::string delimiter = reader.text("delimiter", "");
    HALFTONE_TRY(reader.status());
    if (delimiter.empty()) return invalid_input("{}: expected a character, got none", reader.place("delimiter"));
    return add_cut(Pattern::literal(delimiter), Behavior::removed, false);
  }
  reader.only({"type"});
  HALFTONE_TRY(reader.status());
  if (type == "Whitespace") return add_regex(kWords, Behavior::removed, true);
  if (type == "WhitespaceSplit") return add_regex("\\s", Behavior::removed);
  if (type == "BertPreTokenizer") {
    HALFTONE_TRY(add_regex("\\s", Behavior::removed));
    return add_regex(kPunctuation, Behavior::isolated);
  }
  return unsupported(
      "{}: expected ByteLevel, Split, Digits, Metaspace, Whitespace, WhitespaceSplit, Punctuation, BertPreTokenizer, "
      "CharDelimiterSplit or Sequence, got \"{}\"",
      reader.place("type"), type);
}

Status PreTokenizer::add_regex(std::string_view expression, Behavior behavior, bool invert) {
  HALFTONE_ASSIGN(Pattern pattern, Pattern::regex(expression, "pre_tokenizer"));
  return add_cut(std::move(pattern), behavior, invert);
}

Result<PreTokenizer> PreTokenizer::byte_level(std::string_view expression) {
  PreTokenizer made;
  HALFTONE_TRY(made.add_regex(expression, Behavior::isolated));
  made.byte_level_ = true;
  return made;
}

Status PreTokenizer::read_byte_level(JsonReader& reader) {
  // trim_offsets is about places in the text, which we do not report.
  reader.only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  Step step;
  step.prefix = reader.boolean("add_prefix_space", true) ? Step::Prefix::always : Step::Prefix::never;
  step.marker = " ";
  step.split = reader.boolean("use_regex", true);
  HALFTONE_TRY(reader.status());
  if (step.split) {
    HALFTONE_ASSIGN(step.pattern, Pattern::regex(kGpt2Split, reader.place("")));
  }
  steps_.push_back(std::move(step));
  byte_level_ = true;
  return {};
}

Result<PreTokenizer::Behavior> PreTokenizer::behavior_named(JsonReader& reader, std::string_view fallback) {
  static constexpr std::array<std::pair<std::string_view, Behavior>, 5> kBehaviors = {{
      {"Removed", Behavior::removed},
      {"Isolated", Behavior::isolated},
      {"MergedWithPrevious", Behavior::merged_with_previous},
      {"MergedWithNext", Behavior::merged_with_next},
      {"Contiguous", Behavior::contiguous},
  }};
  const std::string name = reader.text("behavior", fallback);
  HALFTONE_TRY(reader.status());
  for (const auto& [known, behavior] : kBehaviors) {
    if (name == known) return behavior;
  }
  return unsupported("{}: expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous, got \"{}\"",
                     reader.place("behavior"), name);
}

Status PreTokenizer::read_split(JsonReader& reader) {
  reader.only({"type", "pattern", "behavior", "invert"});
  HALFTONE_ASSIGN(Pattern pattern, Pattern::read(reader, "pattern"));
  const bool invert = reader.boolean("invert", false);
  HALFTONE_ASSIGN(const Behavior behavior, behavior_named(reader, ""));
  return add_cut(std::move(pattern), behavior, invert);
}

Status PreTokenizer::read_metaspace(JsonReader& reader) {
  reader.only({"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"});
  Step step;
  step.marker = reader.text("replacement", "\xE2\x96\x81");
  step.escape = true;
  const bool add_prefix = reader.boolean("add_prefix_space", true);
  const std::string scheme = reader.text("prepend_scheme", add_prefix ? "always" : "never");
  step.split = reader.boolean("split", true);
  HALFTONE_TRY(reader.status());
  if (step.marker.empty()) return invalid_input("{}: expected one character, got none", reader.place("replacement"));
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    return unsupported("{}: expected always, first or never, got \"{}\"", reader.place("prepend_scheme"), scheme);
  }
  step.prefix = scheme == "always"  ? Step::Prefix::always
                : scheme == "first" ? Step::Prefix::first
                                    : Step::Prefix::never;
  step.pattern = Pattern::literal(step.marker);
  step.behavior = Behavior::merged_with_next;
  steps_.push_back(std::move(step));
  return {};
}

std::vector<Pattern::Matcher> PreTokenizer::matchers() const {
  std::vector<Pattern::Matcher> found;
  for (const Step& step : steps_) found.emplace_back(step.pattern);
  return found;
}

Status PreTokenizer::apply(PreTokens& pieces, std::vector<Pattern::Matcher>& matchers) const {
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].escape || steps_[i].prefix != Step::Prefix::never) rewrite(steps_[i], pieces);
    if (steps_[i].split) HALFTONE_TRY(cut(steps_[i], matchers[i], pieces));
  }
  return {};
}

void PreTokenizer::rewrite(const Step& step, PreTokens& pieces) {
  std::string out;
  out.reserve(pieces.text.size() + pieces.text.size() / 4 + pieces.ranges.size());
  for (size_t i = 0; i < pieces.ranges.size(); ++i) {
    const std::string_view piece =
        pieces.text.substr(pieces.ranges[i].begin, pieces.ranges[i].end - pieces.ranges[i].begin);
    const size_t begin = out.size();
    const bool wanted =
        step.prefix == Step::Prefix::always || (step.prefix == Step::Prefix::first && i == 0 && pieces.starts_text);
    const bool marked = piece.starts_with(step.marker) || (step.escape && piece.starts_with(' '));
    if (wanted && !marked) out += step.marker;
    for (const char byte : piece) {
      if (step.escape && byte == ' ') {
        out += step.marker;
      } else {
        out += byte;
      }
    }
    pieces.ranges[i] = {begin, out.size()};
  }
  pieces.rewritten = std::move(out);
  pieces.text = pieces.rewritten;
}

Status PreTokenizer::cut(const Step& step, Pattern::Matcher& matcher, PreTokens& pieces) {
  std::vector<Range> out, matches;
  std::vector<Part> parts;
  for (const Range& range : pieces.ranges) {
    if (step.behavior == Behavior::isolated && step.pattern.covers_text()) {
      HALFTONE_TRY(matcher.find_all(pieces.text.substr(range.begin, range.end - range.begin), range.begin, out));
      continue;
    }
    matches.clear();
    HALFTONE_TRY(matcher.find_all(pieces.text.substr(range.begin, range.end - range.begin), range.begin, matches));
    if (step.behavior == Behavior::isolated) {
      isolate(range, matches, out);
      continue;
    }
    parts.clear();
    parts_of(range, matches, step.invert, parts);
    switch (step.behavior) {
      case Behavior::removed:
        for (const Part& part : parts) {
          if (!part.match) push(out, part.range);
        }
        break;
      case Behavior::isolated:
        break;
      case Behavior::merged_with_previous:
        merge_with_previous(parts, out);
        break;
      case Behavior::merged_with_next:
        merge_with_next(parts, out);
        break;
      case Behavior::contiguous:
        join_contiguous(parts, out);
        break;
    }
  }
  pieces.ranges = std::move(out);
  return {};
}

}  // namespace halftone
