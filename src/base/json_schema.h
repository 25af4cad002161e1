// SPDX-License-Identifier: Apache-2.0
// For tests: does a document follow docs/schema/X.json? The subset of JSON Schema that those files use; any other
// keyword is an error.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

namespace halftone {

class JsonSchema {
 public:
  explicit JsonSchema(const std::filesystem::path& file) : folder_(file.parent_path()) {
    std::ifstream text(file);
    root_ = nlohmann::json::parse(text, nullptr, false);
    if (root_.is_discarded()) problems_.push_back("cannot read schema " + file.string());
  }

  // Empty when the document follows the schema; else one line per contradiction.
  std::vector<std::string> problems_of(const nlohmann::json& document) {
    if (!root_.is_discarded()) check(root_, document, "$");
    return std::move(problems_);
  }

 private:
  using Json = nlohmann::json;

  void complain(const std::string& where, const std::string& what) { problems_.push_back(where + ": " + what); }

  static bool has_type(const Json& value, const std::string& type) {
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    return type == value.type_name();
  }

  void check_type(const Json& types, const Json& value, const std::string& where) {
    bool fits = false;
    for (const Json& type : types.is_array() ? types : Json::array({types})) fits = fits || has_type(value, type);
    if (!fits) complain(where, "expected " + types.dump() + ", got " + value.dump().substr(0, 60));
  }

  void check_object(const Json& schema, const Json& value, const std::string& where) {
    for (const Json& key : schema.value("required", Json::array())) {
      if (!value.contains(key.get<std::string>())) complain(where, "has no key " + key.dump());
    }
    const Json properties = schema.value("properties", Json::object());
    const Json others = schema.value("additionalProperties", Json(true));
    for (const auto& [key, member] : value.items()) {
      if (properties.contains(key)) {
        check(properties[key], member, where + "." + key);
      } else if (others.is_object()) {
        check(others, member, where + "." + key);
      } else if (others == false) {
        complain(where, "unknown key \"" + key + "\"");
      }
    }
  }

  // "#/$defs/x" of this file, or another file beside it.
  void check_reference(const std::string& target, const Json& value, const std::string& where) {
    if (target.starts_with("#")) return check(root_.at(Json::json_pointer(target.substr(1))), value, where);
    for (const std::string& problem : JsonSchema(folder_ / target).problems_of(value)) complain(target, problem);
  }

  void check(const Json& schema, const Json& value, const std::string& where) {
    if (schema.contains("$ref")) return check_reference(schema["$ref"], value, where);
    for (const auto& [keyword, rule] : schema.items()) {
      if (keyword == "type") {
        check_type(rule, value, where);
      } else if (keyword == "enum") {
        if (std::find(rule.begin(), rule.end(), value) == rule.end())
          complain(where, value.dump() + " is none of " + rule.dump());
      } else if (keyword == "pattern") {
        if (value.is_string() && !std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>())))
          complain(where, value.dump() + " does not match " + rule.dump());
      } else if (keyword == "allOf") {
        for (const Json& part : rule) check(part, value, where);
      } else if (keyword == "minimum") {
        if (value.is_number() && value < rule) complain(where, value.dump() + " is below " + rule.dump());
      } else if (keyword == "maximum") {
        if (value.is_number() && value > rule) complain(where, value.dump() + " is above " + rule.dump());
      } else if (keyword == "minItems") {
        if (value.size() < rule) complain(where, "has fewer than " + rule.dump() + " items");
      } else if (keyword == "items") {
        if (!value.is_array()) continue;
        for (size_t i = 0; i < value.size(); ++i) check(rule, value[i], where + "[" + std::to_string(i) + "]");
      } else if (keyword != "properties" && keyword != "required" && keyword != "additionalProperties" &&
                 keyword[0] != '$' && keyword != "title" && keyword != "description") {
        complain(where, "the schema uses \"" + keyword + "\", which this check does not know");
      }
    }
    if (value.is_object()) check_object(schema, value, where);
  }

  std::filesystem::path folder_;
  Json root_;
  std::vector<std::string> problems_;
};

}  // namespace halftone
