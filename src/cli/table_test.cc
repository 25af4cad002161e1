// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <gtest/gtest.h>

#include "cli/arguments.h"

namespace halftone::cli {
namespace {

TEST(Table, ColumnsLineUp) {
  Table table({"name", ">MB", "verdict"});
  table.row({{"float16"}, {"6.21"}, {"reference"}});
  table.row({{"int4"}, {"11.75"}, {"pass"}});
  EXPECT_EQ(table.render(false),
            "name        MB  verdict\n"
            "float16   6.21  reference\n"
            "int4     11.75  pass\n");
}

TEST(Table, WidthCountsCharactersNotBytesOrColours) {
  EXPECT_EQ(display_width("π = 3"), 5U);
  Table table({"a", ">b"});
  table.row({{"é", Colour::green}, {"1"}});
  table.row({{"xyz"}, {"22"}});
  const std::string coloured = table.render(true);
  EXPECT_NE(coloured.find("\033[32mé\033[0m     1\n"), std::string::npos) << coloured;
  EXPECT_EQ(table.render(false).find('\033'), std::string::npos);
}

TEST(Table, ShortRowsAreFilled) {
  Table table({"a", "b"});
  table.row({{"x"}});
  EXPECT_EQ(table.render(false), "a  b\nx\n");
}

TEST(Arguments, UnderscoresInOptionNamesAreHyphens) {
  const char* given[] = {"halftone", "run", "my_model", "--max_tokens=a_b", "--top_k", "4_0", "--", "--not_touched"};
  const std::vector<std::string> out = normalized_arguments(8, const_cast<char**>(given));
  EXPECT_EQ(out,
            (std::vector<std::string>{"--not_touched", "--", "4_0", "--top-k", "--max-tokens=a_b", "my_model", "run"}));
}

TEST(Arguments, EscapesInPrompts) { EXPECT_EQ(unescaped(R"(a\nb\tc\\nd\x\)"), "a\nb\tc\\nd\\x\\"); }

}  // namespace
}  // namespace halftone::cli
