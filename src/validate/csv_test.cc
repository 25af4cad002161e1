// SPDX-License-Identifier: Apache-2.0
#include "validate/csv.h"

#include <gtest/gtest.h>

namespace halftone {
namespace {

using Fields = std::vector<std::string>;

TEST(Csv, quotes_commas_and_line_ends_inside_fields) {
  const auto table = parse_csv("a,b\r\n\"one, \"\"two\"\"\nthree\",4\r\n,\"\"\r\n\r\nx,y", "t.csv");
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_EQ(table->header, (Fields{"a", "b"}));
  ASSERT_EQ(table->rows.size(), 3u);
  EXPECT_EQ(table->rows[0].fields, (Fields{"one, \"two\"\nthree", "4"}));
  EXPECT_EQ(table->rows[0].line, 2);
  EXPECT_EQ(table->rows[1].fields, (Fields{"", ""}));
  EXPECT_EQ(table->rows[1].line, 4);  // after a field of two lines
  EXPECT_EQ(table->rows[2].fields, (Fields{"x", "y"}));
  EXPECT_EQ(*table->column("b"), 1u);
  EXPECT_FALSE(table->column("c"));
}

TEST(Csv, byte_order_mark_is_skipped) {
  const auto table = parse_csv("\xEF\xBB\xBFquestion\nq\n", "t.csv");
  ASSERT_TRUE(table.ok());
  EXPECT_TRUE(table->column("question"));
}

TEST(Csv, faults_name_file_and_line) {
  const std::pair<std::string, std::string> cases[] = {
      {"a,b\n1,2\n3\n", "t.csv:3: expected 2 fields"},
      {"a,b\n1,2,3\n", "t.csv:2: expected 2 fields as in the header, got 3"},
      {"a,b\n1,\"2\n", "t.csv:2: expected a closing quote"},
      {"a,b\n1,\"2\"x\n", "t.csv:2: expected a comma"},
      {"a,b\n1,2\"x\n", "t.csv:2: expected quotes only around"},
      {"a,a\n1,2\n", "t.csv:1: expected each column once, got \"a\""},
      {"a,\n1,2\n", "t.csv:1: expected a name for each"},
      {"a,b\n", "t.csv: expected a header and at least one row"},
      {"", "t.csv: expected a header and at least one row"},
      {"a,b\n1,\xFF\n", "t.csv:2: expected UTF-8, got the byte 0xff"},
  };
  for (const auto& [text, message] : cases) {
    const auto table = parse_csv(text, "t.csv");
    ASSERT_FALSE(table.ok()) << text;
    EXPECT_NE(table.status().message().find(message), std::string::npos) << table.status().message();
  }
}

}  // namespace
}  // namespace halftone
