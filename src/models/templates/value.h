// SPDX-License-Identifier: Apache-2.0
// Values of the template language, with Python's meaning. Texts are UTF-8 and shared; lists, dicts and functions belong
// to the arena of one rendering, so that values are cheap to copy and cycles leak nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "halftone/status.h"

namespace halftone::jinja {

class Value;
struct List;
struct Dict;
struct Function;
struct Loop;
using Items = std::vector<Value>;
using Text = std::shared_ptr<const std::string>;

struct Undefined {
  Text name;  // what was looked for
};
struct None {};

class Value {
 public:
  using Data = std::variant<Undefined, None, bool, int64_t, double, Text, List*, Dict*, Function*, Loop*>;
  Value() = default;  // undefined
  template <class T>
  Value(T data) : data_(data) {}  // NOLINT(google-explicit-constructor)
  Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}  // NOLINT
  static Value missing(std::string name) { return Undefined{std::make_shared<const std::string>(std::move(name))}; }

  template <class T>
  bool is() const {
    return std::holds_alternative<T>(data_);
  }
  template <class T>
  const T& as() const {  // REQUIRES: is<T>()
    return std::get<T>(data_);
  }
  const std::string& text() const { return *std::get<Text>(data_); }  // REQUIRES: is<Text>()
  bool is_whole() const { return is<int64_t>() || is<bool>(); }
  bool is_number() const { return is_whole() || is<double>(); }
  int64_t whole() const { return is<bool>() ? int64_t{as<bool>()} : as<int64_t>(); }            // REQUIRES: is_whole()
  double number() const { return is<double>() ? as<double>() : static_cast<double>(whole()); }  // REQUIRES: is_number()
  bool truth() const;
  std::string_view kind() const;  // Python's name of the type, for messages

 private:
  Data data_;
};

struct List : Items {
  explicit List(Items items, bool fixed = false) : Items(std::move(items)), tuple(fixed) {}
  bool tuple;  // printed in parentheses, and equal to tuples alone
};

struct Dict {
  std::vector<std::pair<std::string, Value>> entries;  // in order of insertion
  bool is_namespace = false;                           // attributes may be set
  const Value* find(std::string_view key) const;
  void set(std::string_view key, Value value);
};

struct Macro;  // syntax.h
struct Function {
  enum class Kind { builtin, method, macro } kind = Kind::builtin;
  std::string name;              // of a builtin or method
  Value self;                    // of a method
  const Macro* macro = nullptr;  // and where its body looks names up
  size_t scope = 0;
};

// What `loop` means inside of for.
struct Loop {
  const Items* items = nullptr;
  size_t index = 0;
  int64_t depth = 1;
};

struct Arena {
  std::deque<List> lists;
  std::deque<Dict> dicts;
  std::deque<Function> functions;
  std::deque<Loop> loops;
  Value list(Items items) { return &lists.emplace_back(std::move(items)); }
  Value tuple(Items items) { return &lists.emplace_back(std::move(items), true); }
  Value dict(Dict dict) { return &dicts.emplace_back(std::move(dict)); }
  Value function(Function function) { return &functions.emplace_back(std::move(function)); }
};

// Positional and named arguments of a call.
struct Arguments {
  Items positional;
  std::vector<std::pair<std::string, Value>> named;
  // By place or by name; null when not given.
  const Value* find(size_t place, std::string_view name) const;
};

// REQUIRES: json's texts are UTF-8 and it is nested less than kMaxNesting deep (check_json says so).
Value value_of(const nlohmann::ordered_json& json, Arena& arena);
Status check_json(const nlohmann::ordered_json& json, std::string_view what);

inline constexpr int kMaxNesting = 64;
struct JsonStyle {
  int64_t indent = -1;  // below 0: one line
  std::string item = ", ", key = ": ";
  bool sort_keys = false, ascii = false;
};
// As Python's str(), repr() and json.dumps() write a value. An error says what is too deep or cannot be written;
// `limit` bounds the bytes.
Result<std::string> to_text(const Value& value, size_t limit);
Result<std::string> to_json(const Value& value, const JsonStyle& style, size_t limit);
std::string text_of(double number);

// Python's ==. `steps` is counted down; at zero the answer is false.
bool equal(const Value& a, const Value& b, int64_t& steps, int depth = 0);
// Python's <, for numbers, texts and lists of them; nothing where Python refuses.
enum class Order { less, equal, greater, none };
Order order(const Value& a, const Value& b, int64_t& steps, int depth = 0);

}  // namespace halftone::jinja
