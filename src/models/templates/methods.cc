// SPDX-License-Identifier: Apache-2.0
// Methods of strings, lists and dicts.
#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "models/templates/machine.h"

namespace halftone::jinja {
namespace {

constexpr std::array<std::string_view, 21> kTextMethods = {
    "split",   "rsplit", "strip",   "lstrip",     "rstrip",       "startswith",   "endswith",
    "replace", "upper",  "lower",   "title",      "capitalize",   "find",         "rfind",
    "count",   "join",   "isdigit", "splitlines", "removeprefix", "removesuffix", "isspace"};
constexpr std::array<std::string_view, 2> kListMethods = {"index", "count"};  // none changes a value
constexpr std::array<std::string_view, 4> kDictMethods = {"items", "keys", "values", "get"};

template <size_t N>
bool holds(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// One call of a string's method.
class TextMethod {
 public:
  TextMethod(Machine& machine, int line, const Function& method, const Arguments& arguments)
      : machine_(machine), line_(line), name_(method.name), text_(method.self.text()), arguments_(arguments) {}

  Result<Value> run() {
    HALFTONE_TRY(machine_.pay(line_, text_.size()));
    if (name_ == "split" || name_ == "rsplit") return split(name_ == "rsplit");
    if (name_.ends_with("strip")) return stripped();
    if (name_ == "startswith" || name_ == "endswith") return begins_or_ends();
    if (name_ == "replace") return replaced();
    if (name_ == "upper") return Value(with_letters(text_, Letters::upper));
    if (name_ == "lower") return Value(with_letters(text_, Letters::lower));
    if (name_ == "title") return Value(with_letters(text_, Letters::title));
    if (name_ == "capitalize") return Value(with_letters(text_, Letters::capital));
    if (name_ == "find" || name_ == "rfind" || name_ == "count") return found();
    if (name_ == "join") return joined();
    if (name_ == "splitlines") return lines();
    if (name_ == "isdigit" || name_ == "isspace") return Value(all_are(name_ == "isdigit"));
    HALFTONE_ASSIGN(const std::string affix, text_argument(0, name_ == "removeprefix" ? "prefix" : "suffix"));
    std::string_view rest = text_;
    if (name_ == "removeprefix" && rest.starts_with(affix)) rest.remove_prefix(affix.size());
    if (name_ == "removesuffix" && rest.ends_with(affix)) rest.remove_suffix(affix.size());
    return Value(std::string(rest));
  }

 private:
  Result<std::string> text_argument(size_t place, std::string_view name) const {
    const Value* value = arguments_.find(place, name);
    if (value == nullptr || !value->is<Text>())
      return machine_.fail(line_, "expected a string for .{}(), got {}", name_,
                           value == nullptr ? "none" : value->kind());
    return value->text();
  }
  Result<int64_t> count_argument(size_t place, std::string_view name) const {
    const Value* value = arguments_.find(place, name);
    if (value == nullptr) return int64_t{-1};
    if (!value->is_whole()) return machine_.fail(line_, "expected an integer for .{}(), got {}", name_, value->kind());
    return value->whole();
  }

  Result<Value> split(bool from_right) {
    HALFTONE_ASSIGN(const int64_t limit, count_argument(1, "maxsplit"));
    const Value* separator = arguments_.find(0, "sep");
    std::vector<std::string_view> parts;
    if (separator == nullptr || separator->is<None>()) {
      split_spaces(limit, from_right, parts);
    } else {
      HALFTONE_ASSIGN(const std::string between, text_argument(0, "sep"));
      if (between.empty()) return machine_.fail(line_, "expected a separator for .{}(), got an empty string", name_);
      split_at(between, limit, from_right, parts);
    }
    HALFTONE_TRY(machine_.pay(line_, parts.size() * 64));
    Items items;
    for (const std::string_view part : parts) items.push_back(std::string(part));
    return machine_.arena.list(std::move(items));
  }
  void split_at(std::string_view between, int64_t limit, bool from_right, std::vector<std::string_view>& parts) const {
    std::string_view rest = text_;
    while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
      const size_t at = from_right ? rest.rfind(between) : rest.find(between);
      if (at == std::string_view::npos) break;
      parts.push_back(from_right ? rest.substr(at + between.size()) : rest.substr(0, at));
      rest = from_right ? rest.substr(0, at) : rest.substr(at + between.size());
    }
    parts.push_back(rest);
    if (from_right) std::reverse(parts.begin(), parts.end());
  }
  void split_spaces(int64_t limit, bool from_right, std::vector<std::string_view>& parts) const {
    std::string_view rest = strip(text_, nullptr, true, true);
    while (!rest.empty()) {
      size_t at = from_right ? rest.size() : 0;
      const bool last = limit >= 0 && static_cast<int64_t>(parts.size()) == limit;
      if (last) {
        parts.push_back(rest);
        break;
      }
      if (from_right) {
        while (at > 0) {
          size_t before = at - 1;
          while (before > 0 && (static_cast<uint8_t>(rest[before]) & 0xC0) == 0x80) --before;
          if (is_space_at(rest, before)) break;
          at = before;
        }
        parts.push_back(rest.substr(at));
        rest = strip(rest.substr(0, at), nullptr, false, true);
      } else {
        while (at < rest.size() && !is_space_at(rest, at)) at += utf8_length(rest[at]);
        parts.push_back(rest.substr(0, at));
        rest = strip(rest.substr(at), nullptr, true, false);
      }
    }
    if (from_right) std::reverse(parts.begin(), parts.end());
  }

  Result<Value> stripped() {
    const bool left = name_ != "rstrip", right = name_ != "lstrip";
    const Value* given = arguments_.find(0, "chars");
    if (given == nullptr || given->is<None>()) return Value(std::string(strip(text_, nullptr, left, right)));
    HALFTONE_ASSIGN(const std::string characters, text_argument(0, "chars"));
    HALFTONE_TRY(machine_.pay(line_, text_.size() * (1 + characters.size() / 8)));
    return Value(std::string(strip(text_, &characters, left, right)));
  }

  Result<Value> begins_or_ends() {
    Items affixes(1, arguments_.positional.empty() ? Value() : arguments_.positional[0]);
    if (affixes[0].is<List*>()) affixes = Items(*affixes[0].as<List*>());
    for (const Value& affix : affixes) {
      if (!affix.is<Text>()) return machine_.fail(line_, "expected a string for .{}(), got {}", name_, affix.kind());
      const bool holds = name_ == "startswith" ? text_.starts_with(affix.text()) : text_.ends_with(affix.text());
      if (holds) return Value(true);
    }
    return Value(false);
  }

  Result<Value> replaced() {
    HALFTONE_ASSIGN(const std::string from, text_argument(0, "old"));
    HALFTONE_ASSIGN(const std::string to, text_argument(1, "new"));
    HALFTONE_ASSIGN(const int64_t count, count_argument(2, "count"));
    const size_t times = text_.size() / std::max<size_t>(from.size(), 1) + 1;
    if (times > machine_.limits().bytes / (to.size() + 1))
      return machine_.fail(line_, "expected less text from .replace()");
    HALFTONE_TRY(machine_.pay(line_, times));
    return machine_.made_text(line_, replace_all(text_, from, to, count));
  }

  Result<Value> found() {
    HALFTONE_ASSIGN(const std::string part, text_argument(0, "sub"));
    if (name_ == "count") {
      int64_t count = part.empty() ? static_cast<int64_t>(count_characters(text_)) + 1 : 0;
      for (size_t at = 0; !part.empty() && (at = text_.find(part, at)) != std::string::npos; at += part.size()) ++count;
      return Value(count);
    }
    const size_t at = name_ == "find" ? text_.find(part) : text_.rfind(part);
    if (at == std::string::npos) return Value(int64_t{-1});
    return Value(static_cast<int64_t>(count_characters(std::string_view(text_).substr(0, at))));
  }

  Result<Value> joined() {
    HALFTONE_ASSIGN(const Items parts,
                    machine_.items(line_, arguments_.positional.empty() ? Value() : arguments_.positional[0]));
    std::string all;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (!parts[i].is<Text>()) return machine_.fail(line_, "expected strings to join, got {}", parts[i].kind());
      if (i > 0) all += text_;
      all += parts[i].text();
      HALFTONE_TRY(machine_.pay(line_, parts[i].text().size() + text_.size()));
      if (all.size() > machine_.limits().bytes) break;
    }
    return machine_.made_text(line_, std::move(all));
  }

  Result<Value> lines() {
    Items all;
    for (size_t at = 0; at < text_.size();) {
      const size_t end = std::min(text_.find_first_of("\r\n", at), text_.size());
      all.push_back(text_.substr(at, end - at));
      at = end + (text_.compare(end, 2, "\r\n") == 0 ? 2 : 1);
    }
    HALFTONE_TRY(machine_.pay(line_, all.size() * 64));
    return machine_.arena.list(std::move(all));
  }

  bool all_are(bool digits) const {
    for (size_t at = 0; at < text_.size(); at += utf8_length(text_[at])) {
      if (digits ? text_[at] < '0' || text_[at] > '9' : !is_space_at(text_, at)) return false;
    }
    return !text_.empty();
  }

  Machine& machine_;
  int line_;
  std::string_view name_;
  const std::string& text_;
  const Arguments& arguments_;
};

Result<Value> call_list(Machine& machine, int line, const Function& method, const Arguments& arguments) {
  const Items& items = *method.self.as<List*>();
  const Value* given = arguments.find(0, "");
  if (given == nullptr) return machine.fail(line, "expected a value for .{}(), got none", method.name);
  int64_t count = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    HALFTONE_ASSIGN(const bool found, machine.same(line, items[i], *given));
    if (found && method.name == "index") return Value(static_cast<int64_t>(i));
    count += found ? 1 : 0;
  }
  if (method.name == "index") return machine.fail(line, "expected a value of the list for .index()");
  return Value(count);
}

Result<Value> call_dict(Machine& machine, int line, const Function& method, const Arguments& arguments) {
  const Dict& dict = *method.self.as<Dict*>();
  HALFTONE_TRY(machine.pay(line, dict.entries.size() * 64));
  if (method.name == "get") {
    const Value *key = arguments.find(0, "key"), *fallback = arguments.find(1, "default");
    if (key == nullptr) return machine.fail(line, "expected a key for .get(), got none");
    const Value* found = key->is<Text>() ? dict.find(key->text()) : nullptr;
    return found != nullptr ? *found : fallback != nullptr ? *fallback : Value(None{});
  }
  Items all;
  for (const auto& [key, value] : dict.entries) {
    if (method.name == "items") {
      all.push_back(machine.arena.tuple({key, value}));
    } else if (method.name == "keys") {
      all.push_back(key);
    } else {
      all.push_back(value);
    }
  }
  return machine.arena.list(std::move(all));
}

}  // namespace

bool has_method(const Value& value, std::string_view name) {
  if (value.is<Text>()) return holds(kTextMethods, name);
  if (value.is<List*>()) return holds(kListMethods, name);
  if (value.is<Dict*>()) return holds(kDictMethods, name);
  return value.is<Loop*>() && name == "cycle";
}

Result<Value> call_method(Machine& machine, int line, const Function& method, Arguments& arguments) {
  if (method.self.is<Text>()) return TextMethod(machine, line, method, arguments).run();
  if (method.self.is<List*>()) return call_list(machine, line, method, arguments);
  if (method.self.is<Dict*>()) return call_dict(machine, line, method, arguments);
  if (arguments.positional.empty()) return machine.fail(line, "expected values for loop.cycle(), got none");
  return arguments.positional[method.self.as<Loop*>()->index % arguments.positional.size()];
}

}  // namespace halftone::jinja
