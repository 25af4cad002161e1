// SPDX-License-Identifier: Apache-2.0
// What may stand behind "|": one row per filter.
#include "models/templates/filters.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "base/utf8.h"

namespace halftone::jinja {
namespace {

using Call = FilterCall;

Result<Value> trim(const Call& call) {
  HALFTONE_ASSIGN(const std::string shown, call.text());
  const Value* given = call.arguments.find(0, "chars");
  const bool plain = given == nullptr || given->is<None>();
  if (!plain && !given->is<Text>()) return call.fail("expected a string of characters, got {}", given->kind());
  return Value(std::string(strip(shown, plain ? nullptr : &given->text(), true, true)));
}

Result<Value> in_letters(const Call& call) {
  HALFTONE_ASSIGN(const std::string shown, call.text());
  return Value(with_letters(shown, call.name == "upper"   ? Letters::upper
                                   : call.name == "lower" ? Letters::lower
                                   : call.name == "title" ? Letters::words
                                                          : Letters::capital));
}

Result<Value> length(const Call& call) {
  const Value& value = call.value;
  if (value.is<Text>()) return Value(static_cast<int64_t>(count_characters(value.text())));
  if (value.is<List*>()) return Value(static_cast<int64_t>(value.as<List*>()->size()));
  if (value.is<Dict*>()) return Value(static_cast<int64_t>(value.as<Dict*>()->entries.size()));
  if (value.is<Undefined>()) return Value(int64_t{0});
  return call.fail("expected something with a length, got {}", value.kind());
}

Result<Value> fallback(const Call& call) {
  const Value* other = call.arguments.find(0, "default_value");
  const Value* falsy = call.arguments.find(1, "boolean");
  const bool missing = call.value.is<Undefined>() || (falsy != nullptr && falsy->truth() && !call.value.truth());
  if (!missing) return call.value;
  return other == nullptr ? Value(std::string()) : *other;
}

Result<Value> json(const Call& call) {
  JsonStyle style;
  const Value* indent = call.arguments.find(0, "indent");
  if (indent != nullptr && !indent->is<None>()) {
    if (!indent->is_whole() || indent->whole() < 0 || indent->whole() > 32)
      return call.fail("expected an indent from 0 to 32");
    style.indent = indent->whole();
    style.item = ",";
  }
  for (const auto& [name, value] : call.arguments.named) {
    if (name == "sort_keys") {
      style.sort_keys = value.truth();
    } else if (name == "ensure_ascii") {
      style.ascii = value.truth();
    } else if (name == "separators" && value.is<List*>() && value.as<List*>()->size() == 2) {
      HALFTONE_ASSIGN(style.item, call.machine.text(call.line, (*value.as<List*>())[0]));
      HALFTONE_ASSIGN(style.key, call.machine.text(call.line, (*value.as<List*>())[1]));
    } else if (name != "indent" && !(name == "separators" && value.is<None>())) {
      return call.fail("expected indent, separators, sort_keys or ensure_ascii, got \"{}\"", name);
    }
  }
  Result<std::string> text = to_json(call.value, style, call.machine.limits().bytes);
  if (!text.ok()) return call.fail("{}", text.status().message());
  return call.machine.made_text(call.line, std::move(*text));
}

Result<Value> as_text(const Call& call) {
  HALFTONE_ASSIGN(std::string shown, call.text());
  return Value(std::move(shown));
}

Result<Value> unchanged(const Call& call) { return call.value; }

Result<Value> replaced(const Call& call) {
  HALFTONE_ASSIGN(std::string shown, call.text());
  Arguments arguments = call.arguments;
  if (arguments.positional.size() < 2) return call.fail("expected two strings");
  return call_method(call.machine, call.line, {Function::Kind::method, "replace", std::move(shown), nullptr, 0},
                     arguments);
}

// Lines but the first (and empty ones) go to the right.
Result<Value> indented(const Call& call) {
  HALFTONE_ASSIGN(const std::string shown, call.text());
  const Value *width = call.arguments.find(0, "width"), *first = call.arguments.find(1, "first"),
              *blank = call.arguments.find(2, "blank");
  std::string margin(4, ' ');
  if (width != nullptr && width->is<Text>()) {
    margin = width->text();
  } else if (width != nullptr) {
    if (!width->is_whole() || width->whole() < 0 || width->whole() > 256)
      return call.fail("expected a width from 0 to 256");
    margin.assign(static_cast<size_t>(width->whole()), ' ');
  }
  std::string out;
  for (size_t at = 0, line = 0; at <= shown.size(); ++line) {
    const size_t end = std::min(shown.find('\n', at), shown.size());
    const bool wanted =
        line == 0 ? first != nullptr && first->truth() : end > at || (blank != nullptr && blank->truth());
    if (line > 0) out += '\n';
    if (wanted) out += margin;
    out.append(shown, at, end - at);
    at = end + 1;
    if (out.size() > call.machine.limits().bytes) break;
  }
  return call.machine.made_text(call.line, std::move(out));
}

Result<Value> escaped(const Call& call) {
  HALFTONE_ASSIGN(const std::string shown, call.text());
  std::string out;
  for (const char c : shown) {
    out += c == '&'    ? "&amp;"
           : c == '<'  ? "&lt;"
           : c == '>'  ? "&gt;"
           : c == '\'' ? "&#39;"
           : c == '"'  ? "&#34;"
                       : std::string(1, c);
  }
  return call.machine.made_text(call.line, std::move(out));
}

Result<Value> word_count(const Call& call) {
  HALFTONE_ASSIGN(const std::string shown, call.text());
  int64_t words = 0;
  bool inside = false;
  for (size_t at = 0; at < shown.size(); at += utf8_length(shown[at])) {
    const bool space = is_space_at(shown, at);
    words += !space && !inside ? 1 : 0;
    inside = !space;
  }
  return Value(words);
}

Result<Value> as_number(const Call& call) {
  const Value* other = call.arguments.find(0, "default");
  const bool whole = call.name == "int";
  const Value missing = other != nullptr ? *other : whole ? Value(int64_t{0}) : Value(0.0);
  if (call.value.is_whole()) return whole ? Value(call.value.whole()) : Value(call.value.number());
  double number = 0;
  if (call.value.is<double>()) {
    number = call.value.number();
  } else {
    if (!call.value.is<Text>()) return missing;
    const std::string shown(strip(call.value.text(), nullptr, true, true));
    char* end = nullptr;
    if (whole) {
      const long long parsed = std::strtoll(shown.c_str(), &end, 10);
      if (!shown.empty() && *end == '\0') return Value(static_cast<int64_t>(parsed));
    }
    number = std::strtod(shown.c_str(), &end);
    if (shown.empty() || *end != '\0') return missing;
  }
  if (!whole) return Value(number);
  return std::fabs(number) < 9e18 ? Value(static_cast<int64_t>(number)) : missing;
}

Result<Value> absolute(const Call& call) {
  if (call.value.is<double>()) return Value(std::fabs(call.value.number()));
  if (!call.value.is_whole() || call.value.whole() == INT64_MIN)
    return call.fail("expected a number, got {}", call.value.kind());
  return Value(std::abs(call.value.whole()));
}

Result<Value> rounded(const Call& call) {
  const Value *precision = call.arguments.find(0, "precision"), *method = call.arguments.find(1, "method");
  if (!call.value.is_number()) return call.fail("expected a number, got {}", call.value.kind());
  const double places = precision != nullptr && precision->is_whole() ? precision->number() : 0;
  const double scale = std::pow(10.0, places), scaled = call.value.number() * scale;
  const std::string how = method != nullptr && method->is<Text>() ? method->text() : "common";
  if (how != "common" && how != "ceil" && how != "floor")
    return call.fail("expected common, ceil or floor, got \"{}\"", how);
  return Value((how == "ceil"    ? std::ceil(scaled)
                : how == "floor" ? std::floor(scaled)
                                 : std::nearbyint(scaled)) /
               scale);
}

constexpr std::array<FilterRow, 21> kFilters = {{
    {"trim", trim},        {"upper", in_letters},      {"lower", in_letters},
    {"title", in_letters}, {"capitalize", in_letters}, {"length", length},
    {"count", length},     {"default", fallback},      {"d", fallback},
    {"tojson", json},      {"string", as_text},        {"safe", unchanged},
    {"replace", replaced}, {"indent", indented},       {"escape", escaped},
    {"e", escaped},        {"wordcount", word_count},  {"int", as_number},
    {"float", as_number},  {"abs", absolute},          {"round", rounded},
}};

const FilterRow* find_filter(std::string_view name) {
  for (const FilterRow& row : kFilters) {
    if (row.name == name) return &row;
  }
  for (const FilterRow& row : list_filters()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace

bool known_filter(std::string_view name) { return find_filter(name) != nullptr; }

Result<Value> Machine::filter(int line, std::string_view name, const Value& value, Arguments& arguments) {
  const FilterRow* row = find_filter(name);
  if (row == nullptr) return fail(line, "expected a known filter, got \"{}\"", name);
  return row->apply({*this, line, name, value, arguments});
}

}  // namespace halftone::jinja
