// SPDX-License-Identifier: Apache-2.0
// How a line of samples.jsonl is read. Private to the room.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace halftone {

// Reads the fields of one object and remembers which ones it was asked for.
class RecordFields {
 public:
  using Json = nlohmann::ordered_json;  // slices keep their order

  RecordFields(Json object, std::string_view name, int64_t line)
      : object_(std::move(object)), name_(name), line_(line) {}

  const Status& status() const { return status_; }
  // The first problem is the one reported.
  void note(std::string_view key, std::string_view problem) {
    if (status_.ok()) status_ = invalid_input("{}:{}: {}: {}", name_, line_, key, problem);
  }
  Status fail(std::string_view key, std::string_view problem) {
    note(key, problem);
    return status_;
  }

  void text(const char* key, std::string& value) {
    if (const Json* found = find(key, Json::value_t::string)) value = found->get_ref<const std::string&>();
  }
  void count(const char* key, int64_t& value) {
    const Json* found = find(key, Json::value_t::number_unsigned);
    if (found == nullptr) return;
    value = found->get<int64_t>();
    if (value < 0 || value > (int64_t{1} << 40)) note(key, "expected a count below 2^40");
  }
  void number(const char* key, double& value) {
    const auto found = object_.find(key);
    asked_.emplace_back(key);
    if (found == object_.end() || !found->is_number())
      note(key, "expected a number");
    else
      value = found->get<double>();
  }
  void numbers(const char* key, std::vector<double>& values) {
    const Json* found = find(key, Json::value_t::array);
    if (found == nullptr) return;
    values.reserve(found->size());
    for (const Json& value : *found) {
      if (!value.is_number()) {
        note(key, "expected a list of numbers");
        return;
      }
      values.push_back(value.get<double>());
    }
  }
  void texts(const char* key, std::vector<std::string>& values) {
    const Json* found = find(key, Json::value_t::array);
    if (found == nullptr) return;
    for (const Json& value : *found) {
      if (!value.is_string()) {
        note(key, "expected a list of texts");
        return;
      }
      values.push_back(value.get_ref<const std::string&>());
    }
  }
  void pairs(const char* key, std::vector<std::pair<std::string, std::string>>& values) {
    const Json* found = find(key, Json::value_t::object);
    if (found == nullptr) return;
    for (const auto& [column, value] : found->items()) {
      if (!value.is_string()) {
        note(key, "expected texts");
        return;
      }
      values.emplace_back(column, value.get_ref<const std::string&>());
    }
  }
  RecordFields object(const char* key) {
    const Json* found = find(key, Json::value_t::object);
    return RecordFields(found == nullptr ? Json::object() : *found, name_, line_);
  }
  // A key that nobody asked for is an error.
  Status finish() {
    if (!status_.ok() || object_.size() == asked_.size()) return status_;
    for (const auto& [key, value] : object_.items()) {
      if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) return fail(key, "expected no such key");
    }
    return status_;
  }

 private:
  const Json* find(const char* key, Json::value_t type) {
    const auto found = object_.find(key);
    asked_.emplace_back(key);
    if (found != object_.end() && found->type() == type) return &*found;
    note(key, found == object_.end() ? "expected this key, got none" : "got the wrong type of value");
    return nullptr;
  }

  Json object_;
  std::string_view name_;
  int64_t line_;
  std::vector<std::string_view> asked_;
  Status status_;
};

}  // namespace halftone
