// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

// A YAML mapping read strictly: every error names file and line; a key that nobody asked for is an error with the
// nearest known key; a key given twice is an error; numbers and booleans are plain scalars, read the same in every
// locale. A hyphen in a key equals an underscore. Usage: read fields, then finish().
class YamlMap {
 public:
  static Result<YamlMap> parse_file(const std::filesystem::path& path);
  static Result<YamlMap> parse_text(std::string_view text, std::string name);  // name stands for the file in messages
  static Result<YamlMap> of(const YAML::Node& node, std::string name);         // a nested mapping

  bool has(std::string_view key);
  // Each marks the key as known, has() too. Missing: the fallback, or an error when there is none.
  Result<std::string> text(std::string_view key, std::optional<std::string> fallback = std::nullopt);
  Result<double> number(std::string_view key, std::optional<double> fallback = std::nullopt);
  Result<int64_t> integer(std::string_view key, std::optional<int64_t> fallback = std::nullopt);
  Result<bool> boolean(std::string_view key, std::optional<bool> fallback = std::nullopt);
  Result<std::vector<std::string>> texts(std::string_view key);  // a list of scalars, or one scalar; missing: empty
  Result<std::vector<YamlMap>> maps(std::string_view key);       // a list of mappings; missing: empty
  Result<YamlMap> map(std::string_view key);                     // missing: an empty mapping
  YAML::Node node(std::string_view key);                         // raw, null when missing; marks the key as known
  std::vector<std::string> keys() const;                         // in file order
  Status finish() const;                                         // error for keys that were never asked for

  Status error(std::string_view key, std::string_view problem) const;  // "file:line: key: problem"
  const std::string& name() const { return name_; }

 private:
  struct Entry {
    std::string key;
    YAML::Node value;
    int line;
    bool asked;
  };
  Entry* find(std::string_view key);                                         // marks it
  Result<std::string> plain(std::string_view key, std::string_view wanted);  // REQUIRES: has(key)
  Status missing(std::string_view key) const;

  std::vector<Entry> entries_;
  std::string name_;
  int line_ = 0;  // 0: unknown
  std::vector<std::string> known_;
};

// The candidate nearest to `word` by edit distance, or empty when none is near. Hyphen equals underscore.
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace halftone
