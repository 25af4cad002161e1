// SPDX-License-Identifier: Apache-2.0
#include "ship/json_difference.h"

#include <fmt/format.h>

namespace halftone {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShown = 120;

std::string shown(const Json& json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kShown) text = text.substr(0, kShown) + "...";
  return text;
}

std::optional<JsonDifference> in_objects(const Json& left, const Json& right, const std::string& path, int64_t* equal) {
  for (const auto& [key, value] : left.items()) {
    if (!right.contains(key)) return JsonDifference{path + "." + key, shown(value), "nothing"};
    if (auto found = first_difference(value, right[key], path + "." + key, equal)) return found;
  }
  for (const auto& [key, value] : right.items())
    if (!left.contains(key)) return JsonDifference{path + "." + key, "nothing", shown(value)};
  return std::nullopt;
}

std::optional<JsonDifference> in_arrays(const Json& left, const Json& right, const std::string& path, int64_t* equal) {
  for (size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    const std::string place = fmt::format("{}[{}]", path, i);
    if (i >= right.size()) return JsonDifference{place, shown(left[i]), "nothing"};
    if (i >= left.size()) return JsonDifference{place, "nothing", shown(right[i])};
    if (auto found = first_difference(left[i], right[i], place, equal)) return found;
  }
  return std::nullopt;
}

}  // namespace

std::optional<JsonDifference> first_difference(const Json& left, const Json& right, const std::string& path,
                                               int64_t* equal) {
  if (left.is_object() && right.is_object()) return in_objects(left, right, path, equal);
  if (left.is_array() && right.is_array()) return in_arrays(left, right, path, equal);
  if (left != right) return JsonDifference{path, shown(left), shown(right)};
  if (equal != nullptr) ++*equal;
  return std::nullopt;
}

}  // namespace halftone
