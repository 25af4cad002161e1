// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

// Reads keys of one JSON object; keeps the first problem, so that a reader can take all fields and then ask status().
// After a problem every read gives its fallback. The object is borrowed.
class JsonReader {
 public:
  // `who` opens messages, `file` stands for the file, `path` for the place of the object inside it.
  JsonReader(const nlohmann::json& object, std::string who, std::string file, std::string path = "");

  bool has(std::string_view key) const;  // present and not null
  std::string text(std::string_view key, std::string_view fallback);
  bool boolean(std::string_view key, bool fallback);
  int64_t integer(std::string_view key, int64_t low, int64_t high);  // must exist
  int64_t integer(std::string_view key, int64_t low, int64_t high, int64_t fallback);
  double number(std::string_view key, double low, double high);  // must exist
  double number(std::string_view key, double low, double high, double fallback);
  std::vector<int64_t> integers(std::string_view key, int64_t low, int64_t high);  // one, a list, or null
  std::vector<double> numbers(std::string_view key, double low, double high);      // a list; must exist
  std::vector<std::string> texts(std::string_view key);                            // a list; missing: empty
  JsonReader object(std::string_view key);                                         // missing: an empty object
  std::vector<JsonReader> objects(std::string_view key);                           // a list of objects; missing: empty
  // Any other key is an error: what is not understood is never ignored.
  void only(std::initializer_list<std::string_view> keys);

  void fail(std::string_view key, std::string_view expected, std::string_view got);
  void fail(Status status);
  // Takes over the first problem of a nested reader.
  void absorb(const JsonReader& nested) { fail(nested.status()); }
  const Status& status() const { return status_; }
  const std::string& file() const { return file_; }
  const nlohmann::json* find(std::string_view key) const;  // null when missing or null
  // "[who] file: path.key", to open a message.
  std::string place(std::string_view key) const;

 private:
  void fail_missing(std::string_view key);
  void fail_type(std::string_view key, std::string_view expected, const nlohmann::json& value);
  const nlohmann::json& object_;
  std::string who_, file_, path_;
  Status status_;
};

}  // namespace halftone
