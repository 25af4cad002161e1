// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/utf8.h"
#include "models/tokenizers/unicode.h"
#include "models/tokenizers/word_mark.h"

namespace halftone {
namespace {

constexpr int kMaxNormalizers = 8;

struct Form {
  std::string_view name;
  int options;
};
constexpr std::array<Form, 4> kForms = {{
    {"NFC", UTF8PROC_STABLE | UTF8PROC_COMPOSE},
    {"NFD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE},
    {"NFKC", UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
    {"NFKD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT},
}};

bool all_ascii(std::string_view text) {
  for (const char byte : text) {
    if (static_cast<uint8_t>(byte) >= 0x80) return false;
  }
  return true;
}

}  // namespace

struct Normalizer::Apply {
  std::string text;

  Status operator()(const Compose& step) {
    if (all_ascii(text)) return {};
    utf8proc_uint8_t* out = nullptr;
    const auto* in = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    const utf8proc_ssize_t length = utf8proc_map(in, static_cast<utf8proc_ssize_t>(text.size()), &out,
                                                 static_cast<utf8proc_option_t>(step.options));
    if (length < 0) return unsupported("[tokenizer] normalisation: {}", utf8proc_errmsg(length));
    text.assign(reinterpret_cast<const char*>(out), static_cast<size_t>(length));
    std::free(out);
    return {};
  }

  Status operator()(const Lowercase&) {
    constexpr int32_t kDottedCapitalI = 0x130;  // the one letter whose small form is two
    map([](int32_t code_point, std::string& out) {
      if (code_point == kDottedCapitalI) {
        out += "i\xCC\x87";
      } else {
        append_utf8(out, utf8proc_tolower(code_point));
      }
    });
    return {};
  }

  Status operator()(const StripAccents&) {
    map([](int32_t code_point, std::string& out) {
      if (utf8proc_category(code_point) != UTF8PROC_CATEGORY_MN) append_utf8(out, code_point);
    });
    return {};
  }

  Status operator()(const Strip& step) {
    size_t begin = text.size(), end = 0;
    for (size_t at = 0; at < text.size();) {
      const Utf8Step character = utf8_step(text, at);
      if (!is_white_space(character.code_point)) {
        begin = std::min(begin, at);
        end = at + character.length;
      }
      at += character.length;
    }
    if (end == 0) {
      if (step.left || step.right) text.clear();
      return {};
    }
    if (step.right) text.resize(end);
    if (step.left) text.erase(0, begin);
    return {};
  }

  Status operator()(const Prepend& step) {
    if (!text.empty()) text.insert(0, step.text);
    return {};
  }

  Status operator()(const Replace& step) {
    std::vector<Range> matches;
    HALFTONE_TRY(Pattern::Matcher(step.pattern).find_all(text, 0, matches));
    if (matches.empty()) return {};
    std::string out;
    out.reserve(text.size() + matches.size() * step.content.size());
    size_t at = 0;
    for (const Range& match : matches) {
      out.append(text, at, match.begin - at);
      out += step.content;
      at = match.end;
    }
    out.append(text, at);
    text = std::move(out);
    return {};
  }

  Status operator()(const SentencePiece& step) {
    std::string_view rest = text;
    if (step.collapse) rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    if (rest.empty()) {
      text.clear();
      return {};
    }
    const std::string_view space = step.escape ? kWordMark : std::string_view(" ");
    std::string out(step.dummy_prefix ? space : std::string_view());
    out.reserve(rest.size() + rest.size() / 2);
    bool after_space = step.collapse;
    for (const char byte : rest) {
      if (byte != ' ') {
        out += byte;
      } else if (!(after_space && step.collapse)) {
        out += space;
      }
      after_space = byte == ' ';
    }
    while (step.collapse && std::string_view(out).ends_with(space)) out.resize(out.size() - space.size());
    text = std::move(out);
    return {};
  }

  template <class Change>
  void map(const Change& change) {
    std::string out;
    out.reserve(text.size());
    for (size_t at = 0; at < text.size();) {
      const Utf8Step character = utf8_step(text, at);
      change(character.code_point, out);
      at += character.length;
    }
    text = std::move(out);
  }
};

Normalizer Normalizer::sentencepiece(bool dummy_prefix, bool collapse, bool escape) {
  Normalizer normalizer;
  normalizer.steps_.emplace_back(SentencePiece{dummy_prefix, collapse, escape});
  return normalizer;
}

Result<Normalizer> Normalizer::read(JsonReader& tokenizer) {
  Normalizer normalizer;
  if (!tokenizer.has("normalizer")) return normalizer;
  JsonReader reader = tokenizer.object("normalizer");
  HALFTONE_TRY(normalizer.read_step(reader, 0));
  return normalizer;
}

Status Normalizer::read_step(JsonReader& reader, int depth) {
  const std::string type = reader.text("type", "");
  HALFTONE_TRY(reader.status());
  if (depth > kMaxNormalizers)
    return invalid_input("{}: expected at most {} nested sequences", reader.place(""), kMaxNormalizers);
  for (const Form& form : kForms) {
    if (type != form.name) continue;
    reader.only({"type"});
    steps_.emplace_back(Compose{form.options});
    return reader.status();
  }
  if (type == "Sequence") {
    reader.only({"type", "normalizers"});
    for (JsonReader& inner : reader.objects("normalizers")) HALFTONE_TRY(read_step(inner, depth + 1));
  } else if (type == "Lowercase") {
    reader.only({"type"});
    steps_.emplace_back(Lowercase{});
  } else if (type == "StripAccents") {
    reader.only({"type"});
    steps_.emplace_back(StripAccents{});
  } else if (type == "Strip") {
    reader.only({"type", "strip_left", "strip_right"});
    steps_.emplace_back(Strip{reader.boolean("strip_left", true), reader.boolean("strip_right", true)});
  } else if (type == "Prepend") {
    reader.only({"type", "prepend"});
    steps_.emplace_back(Prepend{reader.text("prepend", "")});
  } else if (type == "Replace") {
    reader.only({"type", "pattern", "content"});
    HALFTONE_ASSIGN(Pattern pattern, Pattern::read(reader, "pattern"));
    steps_.emplace_back(Replace{std::move(pattern), reader.text("content", "")});
  } else {
    return unsupported(
        "{}: expected NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Prepend, Replace or Sequence, got \"{}\"",
        reader.place("type"), type);
  }
  return reader.status();
}

Result<std::string> Normalizer::apply(std::string_view text) const {
  Apply apply{std::string(text)};
  for (const Step& step : steps_) HALFTONE_TRY(std::visit(apply, step));
  return std::move(apply.text);
}

}  // namespace halftone
