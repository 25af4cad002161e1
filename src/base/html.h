// SPDX-License-Identifier: Apache-2.0
// What self-contained pages are made of: escaping, a style for light and dark, tables that fit a phone.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace halftone::page {

using Json = nlohmann::ordered_json;

std::string escape(std::string_view text);   // for HTML text and attributes
std::string script_json(const Json& value);  // for a <script type="application/json">: no "<" survives
std::string_view base_css();                 // colours by name (--ink, --pass, ...), text, tables
// From the doctype to <body>. The policy forbids every network request. `css` follows the base style.
std::string page_head(std::string_view title, std::string_view css);

// A table that becomes cards on a phone. Cells are HTML; headers are text.
class Table {
 public:
  struct Column {
    std::string header;
    bool numeric = false;
    std::string css = "";
  };
  explicit Table(std::vector<Column> columns, std::string css = "cards")
      : columns_(std::move(columns)), css_(std::move(css)) {}
  void row(const std::vector<std::string>& cells, std::string_view css = "");
  std::string html() const;

 private:
  std::vector<Column> columns_;
  std::string css_, rows_;
};

}  // namespace halftone::page
