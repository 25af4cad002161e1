// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/utf8.h"
#include "models/tokenizers/base64.h"
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

// utf8proc sorts the marks behind a letter by insertion, which a long run of them makes quadratic; sorted ones it only
// looks at. The order is the one that it would make.
void sort_marks(std::string& text) {
  struct Mark {
    int combining_class;
    std::string character;
  };
  std::vector<Mark> marks;
  size_t begin = 0;
  const auto put_back = [&] {
    if (marks.size() > 1) {
      std::stable_sort(marks.begin(), marks.end(),
                       [](const Mark& a, const Mark& b) { return a.combining_class < b.combining_class; });
      size_t at = begin;
      for (const Mark& mark : marks) {
        text.replace(at, mark.character.size(), mark.character);
        at += mark.character.size();
      }
    }
    marks.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    const int combining_class = step.code_point < 0x300 ? 0 : utf8proc_get_property(step.code_point)->combining_class;
    if (combining_class == 0) {
      put_back();
    } else {
      if (marks.empty()) begin = at;
      marks.push_back({combining_class, text.substr(at, step.length)});
    }
    at += step.length;
  }
  put_back();
}

bool is_chinese(int32_t code) {
  static constexpr std::pair<int32_t, int32_t> kBlocks[] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF},
                                                            {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF},
                                                            {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};
  return std::any_of(std::begin(kBlocks), std::end(kBlocks),
                     [&](const auto& block) { return code >= block.first && code <= block.second; });
}

bool is_other(int32_t code_point) {
  const utf8proc_category_t category = utf8proc_category(code_point);
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CN ||
         category == UTF8PROC_CATEGORY_CO || category == UTF8PROC_CATEGORY_CS;
}

}  // namespace

struct Normalizer::Apply {
  std::string text;

  Status operator()(const Compose& step) {
    if (all_ascii(text)) return {};
    sort_marks(text);
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

  Status operator()(const Mapped& step) {
    text = step.clusters ? step.map->apply_clusters(text) : step.map->apply(text);
    return {};
  }

  // Of the first neural translators: control characters go, and what looks like a space becomes one.
  Status operator()(const Nmt&) {
    map([](int32_t code, std::string& out) {
      const bool dropped = (code >= 1 && code <= 8) || code == 0xB || (code >= 0xE && code <= 0x1F) || code == 0x7F ||
                           code == 0x8F || code == 0x9F;
      const bool space = code == 9 || code == 0xA || code == 0xC || code == 0xD || code == 0x1680 ||
                         (code >= 0x200B && code <= 0x200F) || code == 0x2028 || code == 0x2029 || code == 0x2581 ||
                         code == 0xFEFF || code == 0xFFFD;
      if (!dropped) append_utf8(out, space ? ' ' : code);
    });
    return {};
  }

  Status operator()(const BertClean& step) {
    map([&](int32_t code, std::string& out) {
      if (step.clean) {
        if (code == '\t' || code == '\n' || code == '\r' || is_white_space(code)) {
          code = ' ';
        } else if (code == 0 || code == 0xFFFD || is_other(code)) {
          return;
        }
      }
      const bool padded = step.pad_chinese && is_chinese(code);
      if (padded) out += ' ';
      append_utf8(out, code);
      if (padded) out += ' ';
    });
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

Normalizer Normalizer::sentencepiece(bool dummy_prefix, bool collapse, bool escape, CharactersMap map) {
  Normalizer normalizer;
  if (!map.empty())
    normalizer.steps_.emplace_back(Mapped{std::make_shared<const CharactersMap>(std::move(map)), false});
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
    return read_other(reader, type);
  }
  return reader.status();
}

Status Normalizer::read_other(JsonReader& reader, std::string_view type) {
  if (type == "BertNormalizer") return read_bert(reader);
  if (type == "Nmt") {
    reader.only({"type"});
    steps_.emplace_back(Nmt{});
    return reader.status();
  }
  if (type == "Precompiled") {
    reader.only({"type", "precompiled_charsmap"});
    const std::string text = reader.text("precompiled_charsmap", "");
    HALFTONE_TRY(reader.status());
    const std::optional<std::string> blob = from_base64(text);
    if (!blob) return invalid_input("{}: expected base64", reader.place("precompiled_charsmap"));
    HALFTONE_ASSIGN(CharactersMap map, CharactersMap::read(*blob, reader.place("precompiled_charsmap")));
    if (!map.empty()) steps_.emplace_back(Mapped{std::make_shared<const CharactersMap>(std::move(map)), true});
    return {};
  }
  return unsupported(
      "{}: expected NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Prepend, Replace, Nmt, Precompiled, "
      "BertNormalizer or Sequence, got \"{}\"",
      reader.place("type"), type);
}

Status Normalizer::read_bert(JsonReader& reader) {
  reader.only({"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"});
  const bool lowercase = reader.boolean("lowercase", true);
  const bool strip = reader.boolean("strip_accents", lowercase);  // null: as lowercase
  steps_.emplace_back(BertClean{reader.boolean("clean_text", true), reader.boolean("handle_chinese_chars", true)});
  if (strip) {
    steps_.emplace_back(Compose{UTF8PROC_STABLE | UTF8PROC_DECOMPOSE});
    steps_.emplace_back(StripAccents{});
  }
  if (lowercase) steps_.emplace_back(Lowercase{});
  return reader.status();
}

Result<std::string> Normalizer::apply(std::string_view text) const {
  Apply apply{std::string(text)};
  for (const Step& step : steps_) HALFTONE_TRY(std::visit(apply, step));
  return std::move(apply.text);
}

}  // namespace halftone
