// SPDX-License-Identifier: Apache-2.0
#include "validate/csv.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "validate/text.h"

namespace halftone {
namespace {

class Reader {
 public:
  Reader(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  bool at_end() const { return at_ >= text_.size(); }

  Result<CsvRow> row() {
    CsvRow row;
    row.line = line_;
    for (;;) {
      HALFTONE_ASSIGN(std::string field, next_field());
      row.fields.push_back(std::move(field));
      if (at_end()) return row;
      if (text_[at_] == ',') {
        ++at_;
        continue;
      }
      skip_line_end();
      return row;
    }
  }

 private:
  bool at_line_end() const {
    return text_[at_] == '\n' || (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n');
  }

  void skip_line_end() {
    at_ += text_[at_] == '\r' ? 2 : 1;
    ++line_;
  }

  Result<std::string> next_field() {
    if (at_end() || text_[at_] != '"') return bare_field();
    const int64_t opened = line_;
    std::string field;
    ++at_;
    for (;;) {
      if (at_end()) return invalid_input("{}:{}: expected a closing quote, got the end of the file", name_, opened);
      const char c = text_[at_++];
      if (c == '\n') ++line_;
      if (c != '"') {
        field += c;
      } else if (!at_end() && text_[at_] == '"') {
        field += '"';
        ++at_;
      } else {
        break;
      }
    }
    if (!at_end() && text_[at_] != ',' && !at_line_end())
      return invalid_input(
          "{}:{}: expected a comma or the end of the line after a closing quote, got '{}'; double the "
          "quotes inside a quoted field",
          name_, line_, valid_utf8(text_.substr(at_, 1)));
    return field;
  }

  Result<std::string> bare_field() {
    const size_t begin = at_;
    while (!at_end() && text_[at_] != ',' && !at_line_end()) {
      if (text_[at_] == '"')
        return invalid_input(
            "{}:{}: expected quotes only around a whole field, got one inside; quote the field and "
            "double the quotes in it",
            name_, line_);
      ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string_view text_;
  std::string_view name_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

Status check_header(const CsvRow& header, std::string_view name) {
  std::vector<std::string> sorted = header.fields;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.front().empty())
    return invalid_input("{}:{}: expected a name for each of the {} columns, got an empty one", name, header.line,
                         sorted.size());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    return invalid_input("{}:{}: expected each column once, got \"{}\" again; rename one", name, header.line, *twice);
  return {};
}

}  // namespace

std::optional<size_t> CsvTable::column(std::string_view name) const {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) return std::nullopt;
  return static_cast<size_t>(found - header.begin());
}

Result<CsvTable> parse_csv(std::string_view text, std::string_view name) {
  if (const auto bad = first_invalid_utf8(text))
    return invalid_input("{}:{}: expected UTF-8, got the byte 0x{:02x}; convert the file", name, line_of(text, *bad),
                         static_cast<unsigned char>(text[*bad]));
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  CsvTable table;
  Reader reader(text, name);
  while (!reader.at_end()) {
    HALFTONE_ASSIGN(CsvRow row, reader.row());
    if (row.fields.size() == 1 && row.fields[0].empty()) continue;
    if (table.header.empty()) {
      HALFTONE_TRY(check_header(row, name));
      table.header = std::move(row.fields);
      continue;
    }
    if (row.fields.size() != table.header.size())
      return invalid_input("{}:{}: expected {} fields as in the header, got {}", name, row.line, table.header.size(),
                           row.fields.size());
    table.rows.push_back(std::move(row));
  }
  if (table.rows.empty()) return invalid_input("{}: expected a header and at least one row, got none", name);
  return table;
}

}  // namespace halftone
