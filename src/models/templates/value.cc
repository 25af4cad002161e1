// SPDX-License-Identifier: Apache-2.0
#include "models/templates/value.h"

#include <cmath>

#include "base/error.h"
#include "base/utf8.h"

namespace halftone::jinja {

bool Value::truth() const {
  if (is<bool>()) return as<bool>();
  if (is<int64_t>()) return as<int64_t>() != 0;
  if (is<double>()) return as<double>() != 0;
  if (is<Text>()) return !text().empty();
  if (is<List*>()) return !as<List*>()->empty();
  if (is<Dict*>()) return as<Dict*>()->is_namespace || !as<Dict*>()->entries.empty();
  return is<Function*>() || is<Loop*>();
}

std::string_view Value::kind() const {
  static constexpr std::string_view kKinds[] = {"undefined", "none", "boolean", "integer",  "float",
                                                "string",    "list", "dict",    "function", "loop"};
  return kKinds[data_.index()];
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

void Dict::set(std::string_view key, Value value) {
  for (auto& [name, old] : entries) {
    if (name != key) continue;
    old = std::move(value);
    return;
  }
  entries.emplace_back(key, std::move(value));
}

const Value* Arguments::find(size_t place, std::string_view name) const {
  if (place < positional.size()) return &positional[place];
  for (const auto& [given, value] : named) {
    if (given == name) return &value;
  }
  return nullptr;
}

Value value_of(const nlohmann::ordered_json& json, Arena& arena) {
  switch (json.type()) {
    case nlohmann::json::value_t::boolean:
      return json.get<bool>();
    case nlohmann::json::value_t::number_integer:
    case nlohmann::json::value_t::number_unsigned:
      return json.get<int64_t>();
    case nlohmann::json::value_t::number_float:
      return json.get<double>();
    case nlohmann::json::value_t::string:
      return json.get<std::string>();
    case nlohmann::json::value_t::array: {
      Items items;
      for (const auto& item : json) items.push_back(value_of(item, arena));
      return arena.list(std::move(items));
    }
    case nlohmann::json::value_t::object: {
      Dict dict;
      for (const auto& [key, item] : json.items()) dict.entries.emplace_back(key, value_of(item, arena));
      return arena.dict(std::move(dict));
    }
    default:
      return None{};
  }
}

namespace {

Status check_nested(const nlohmann::ordered_json& json, std::string_view what, int depth) {
  if (depth > kMaxNesting) return invalid_input("[template] {}: expected at most {} levels", what, kMaxNesting);
  if (json.is_string() && first_invalid_utf8(json.get_ref<const std::string&>()))
    return invalid_input("[template] {}: expected text in UTF-8", what);
  if (json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
    return invalid_input("[template] {}: expected numbers below 2^63, got {}", what, json.get<uint64_t>());
  if (!json.is_structured()) return {};
  for (const auto& [key, item] : json.items()) {
    if (first_invalid_utf8(key)) return invalid_input("[template] {}: expected keys in UTF-8", what);
    HALFTONE_TRY(check_nested(item, what, depth + 1));
  }
  return {};
}

bool equal_dicts(const Dict& a, const Dict& b, int64_t& steps, int depth) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    steps -= static_cast<int64_t>(b.entries.size());
    if (steps <= 0) return false;
    const Value* other = b.find(key);
    if (other == nullptr || !equal(value, *other, steps, depth + 1)) return false;
  }
  return true;
}

template <class T>
Order order_of(const T& a, const T& b) {
  return a < b ? Order::less : b < a ? Order::greater : a == b ? Order::equal : Order::none;
}

}  // namespace

Status check_json(const nlohmann::ordered_json& json, std::string_view what) { return check_nested(json, what, 0); }

bool equal(const Value& a, const Value& b, int64_t& steps, int depth) {
  if (--steps <= 0 || depth > kMaxNesting) return false;
  if (a.is_whole() && b.is_whole()) return a.whole() == b.whole();
  if (a.is_number() && b.is_number()) return a.number() == b.number();
  if (a.is<Text>() && b.is<Text>()) {
    steps -= static_cast<int64_t>(std::min(a.text().size(), b.text().size()) / 64);
    return a.text() == b.text();
  }
  if (a.is<List*>() && b.is<List*>()) {
    const Items &left = *a.as<List*>(), &right = *b.as<List*>();
    if (left.size() != right.size() || a.as<List*>()->tuple != b.as<List*>()->tuple) return false;
    for (size_t i = 0; i < left.size(); ++i) {
      if (!equal(left[i], right[i], steps, depth + 1)) return false;
    }
    return true;
  }
  if (a.is<Dict*>() && b.is<Dict*>()) return equal_dicts(*a.as<Dict*>(), *b.as<Dict*>(), steps, depth);
  if (a.is<Function*>() && b.is<Function*>()) return a.as<Function*>() == b.as<Function*>();
  return (a.is<None>() && b.is<None>()) || (a.is<Undefined>() && b.is<Undefined>());
}

Order order(const Value& a, const Value& b, int64_t& steps, int depth) {
  if (--steps <= 0 || depth > kMaxNesting) return Order::none;
  if (a.is_whole() && b.is_whole()) return order_of(a.whole(), b.whole());
  if (a.is_number() && b.is_number()) return order_of(a.number(), b.number());
  if (a.is<Text>() && b.is<Text>()) {
    steps -= static_cast<int64_t>(std::min(a.text().size(), b.text().size()) / 64);
    return order_of(a.text(), b.text());
  }
  if (!a.is<List*>() || !b.is<List*>()) return Order::none;
  const Items &left = *a.as<List*>(), &right = *b.as<List*>();
  for (size_t i = 0; i < left.size() && i < right.size(); ++i) {
    if (equal(left[i], right[i], steps, depth + 1)) continue;
    return order(left[i], right[i], steps, depth + 1);
  }
  return order_of(left.size(), right.size());
}

}  // namespace halftone::jinja
