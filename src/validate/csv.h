// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

struct CsvRow {
  int64_t line = 0;  // where the row begins, from 1
  std::vector<std::string> fields;
};

struct CsvTable {
  std::vector<std::string> header;
  std::vector<CsvRow> rows;
  std::optional<size_t> column(std::string_view name) const;
};

// RFC 4180: comma-separated, first row names the columns, fields may be quoted and then hold commas, line ends and
// doubled quotes; CRLF or LF; a byte order mark is skipped; UTF-8. Every row has as many fields as the header. Blank
// lines between rows are skipped. Errors name `name` and the line: ragged rows, stray quotes, an unclosed quote, empty
// or repeated column names, invalid UTF-8, a file without rows.
Result<CsvTable> parse_csv(std::string_view text, std::string_view name);

}  // namespace halftone
