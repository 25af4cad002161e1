// SPDX-License-Identifier: Apache-2.0
#include "models/json_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace halftone {
namespace {

constexpr size_t kShownCharacters = 60;

std::string shown(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > kShownCharacters) text = text.substr(0, kShownCharacters) + "...";
  return text;
}

const nlohmann::json& empty_object() {
  static const nlohmann::json kEmpty = nlohmann::json::object();
  return kEmpty;
}

bool as_integer(const nlohmann::json& value, int64_t& out) {
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()}) return false;
  if (value.is_number_integer()) {
    out = value.get<int64_t>();
    return true;
  }
  // Some writers print whole numbers as 4096.0.
  if (!value.is_number_float()) return false;
  const double number = value.get<double>();
  if (!(std::abs(number) < 9e15) || number != std::floor(number)) return false;
  out = static_cast<int64_t>(number);
  return true;
}

}  // namespace

JsonReader::JsonReader(const nlohmann::json& object, std::string who, std::string file, std::string path)
    : object_(object.is_object() ? object : empty_object()),
      who_(std::move(who)),
      file_(std::move(file)),
      path_(std::move(path)) {
  if (object.is_object()) return;
  status_ = invalid_input("[{}] {}: {}: expected a JSON object, got {}", who_, file_,
                          path_.empty() ? "top level" : path_, shown(object));
}

std::string JsonReader::place(std::string_view key) const {
  const std::string_view dot = path_.empty() || key.empty() ? "" : ".";
  return fmt::format("[{}] {}: {}{}{}", who_, file_, path_, dot, key);
}

const nlohmann::json* JsonReader::find(std::string_view key) const {
  const auto at = object_.find(std::string(key));
  return at == object_.end() || at->is_null() ? nullptr : &*at;
}

bool JsonReader::has(std::string_view key) const { return find(key) != nullptr; }

void JsonReader::fail(Status status) {
  if (status_.ok()) status_ = std::move(status);
}

void JsonReader::fail(std::string_view key, std::string_view expected, std::string_view got) {
  fail(invalid_input("{}: expected {}, got {}", place(key), expected, got));
}

void JsonReader::fail_missing(std::string_view key) {
  fail(not_found("{}: expected this key, got none; the file is not complete", place(key)));
}

void JsonReader::fail_type(std::string_view key, std::string_view expected, const nlohmann::json& value) {
  fail(key, expected, shown(value));
}

std::string JsonReader::text(std::string_view key, std::string_view fallback) {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return std::string(fallback);
  if (value->is_string()) return value->get<std::string>();
  fail_type(key, "a string", *value);
  return std::string(fallback);
}

bool JsonReader::boolean(std::string_view key, bool fallback) {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  fail_type(key, "true or false", *value);
  return fallback;
}

int64_t JsonReader::integer(std::string_view key, int64_t low, int64_t high) {
  if (has(key)) return integer(key, low, high, low);
  fail_missing(key);
  return low;
}

int64_t JsonReader::integer(std::string_view key, int64_t low, int64_t high, int64_t fallback) {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return fallback;
  int64_t number = 0;
  if (as_integer(*value, number) && number >= low && number <= high) return number;
  fail_type(key, fmt::format("a whole number from {} to {}", low, high), *value);
  return fallback;
}

double JsonReader::number(std::string_view key, double low, double high) {
  if (has(key)) return number(key, low, high, low);
  fail_missing(key);
  return low;
}

double JsonReader::number(std::string_view key, double low, double high, double fallback) {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is_number()) {
    const double number = value->get<double>();
    if (number >= low && number <= high) return number;
  }
  fail_type(key, fmt::format("a number from {} to {}", low, high), *value);
  return fallback;
}

std::vector<int64_t> JsonReader::integers(std::string_view key, int64_t low, int64_t high) {
  const nlohmann::json* value = find(key);
  std::vector<int64_t> numbers;
  if (value == nullptr) return numbers;
  const std::string expected = fmt::format("whole numbers from {} to {}", low, high);
  int64_t number = 0;
  if (as_integer(*value, number) && number >= low && number <= high) return {number};
  if (!value->is_array()) {
    fail_type(key, expected, *value);
    return numbers;
  }
  for (const nlohmann::json& item : *value) {
    if (!as_integer(item, number) || number < low || number > high) {
      fail_type(key, expected, *value);
      return {};
    }
    numbers.push_back(number);
  }
  return numbers;
}

std::vector<double> JsonReader::numbers(std::string_view key, double low, double high) {
  const nlohmann::json* value = find(key);
  std::vector<double> found;
  if (value == nullptr) {
    fail_missing(key);
    return found;
  }
  bool good = value->is_array();
  for (size_t i = 0; good && i < value->size(); ++i) {
    good = (*value)[i].is_number();
    if (good) found.push_back((*value)[i].get<double>());
    good = good && found.back() >= low && found.back() <= high;
  }
  if (good) return found;
  fail_type(key, fmt::format("a list of numbers from {} to {}", low, high), *value);
  return {};
}

std::vector<std::string> JsonReader::texts(std::string_view key) {
  const nlohmann::json* value = find(key);
  std::vector<std::string> found;
  if (value == nullptr) return found;
  if (!value->is_array()) {
    fail_type(key, "a list of strings", *value);
    return found;
  }
  for (const nlohmann::json& item : *value) {
    if (!item.is_string()) {
      fail_type(key, "a list of strings", *value);
      return {};
    }
    found.push_back(item.get<std::string>());
  }
  return found;
}

JsonReader JsonReader::object(std::string_view key) {
  const nlohmann::json* value = find(key);
  return JsonReader(value == nullptr ? empty_object() : *value, who_, file_,
                    fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", key));
}

std::vector<JsonReader> JsonReader::objects(std::string_view key) {
  const nlohmann::json* value = find(key);
  std::vector<JsonReader> found;
  if (value == nullptr) return found;
  if (!value->is_array()) {
    fail_type(key, "a list of objects", *value);
    return found;
  }
  for (size_t i = 0; i < value->size(); ++i) {
    found.emplace_back((*value)[i], who_, file_, fmt::format("{}{}{}[{}]", path_, path_.empty() ? "" : ".", key, i));
  }
  return found;
}

void JsonReader::only(std::initializer_list<std::string_view> keys) {
  for (const auto& [key, value] : object_.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      fail(
          unsupported("{}: expected one of {}, got this key with {}", place(key), fmt::join(keys, ", "), shown(value)));
    }
  }
}

}  // namespace halftone
