// SPDX-License-Identifier: Apache-2.0
#include "validate/text.h"

#include <gtest/gtest.h>

#include "base/utf8.h"

namespace halftone {
namespace {

TEST(Utf8, finds_the_first_bad_byte) {
  EXPECT_FALSE(first_invalid_utf8("plain, \xC3\xA9, \xE2\x82\xAC, \xF0\x9F\x98\x80"));
  EXPECT_EQ(first_invalid_utf8("ab\xFF"), 2u);
  EXPECT_EQ(first_invalid_utf8("a\xC3"), 1u);             // cut short
  EXPECT_EQ(first_invalid_utf8("\xC0\x80"), 0u);          // overlong
  EXPECT_EQ(first_invalid_utf8("\xE0\x80\x80"), 0u);      // overlong
  EXPECT_EQ(first_invalid_utf8("\xED\xA0\x80"), 0u);      // surrogate
  EXPECT_EQ(first_invalid_utf8("\xF4\x90\x80\x80"), 0u);  // beyond U+10FFFF
  EXPECT_EQ(valid_utf8("a\xFF\xC3\xA9\x80"), "a\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD");
}

TEST(Excerpt, keeps_both_ends_and_whole_characters) {
  EXPECT_EQ(excerpt("short", 10), "short");
  const std::string text = "begin " + std::string(200, 'x') + " the end";
  const std::string cut = excerpt(text, 50);
  EXPECT_LE(cut.size(), 50u);
  EXPECT_TRUE(cut.starts_with("begin ") && cut.ends_with(" the end")) << cut;
  std::string accents;
  for (int i = 0; i < 100; ++i) accents += "\xC3\xA9";
  for (size_t size = 6; size < 60; ++size) EXPECT_FALSE(first_invalid_utf8(excerpt(accents, size))) << size;
}

TEST(RoundSignificant, is_what_the_digits_say) {
  EXPECT_EQ(round_significant(0.123456789, 3), 0.123);
  EXPECT_EQ(round_significant(-1234567.0, 2), -1200000.0);
  EXPECT_EQ(round_significant(0, 5), 0);
  EXPECT_EQ(round_significant(round_significant(1e-300 / 3, 5), 5), round_significant(1e-300 / 3, 5));
}

TEST(LineOf, counts_from_one) {
  EXPECT_EQ(line_of("a\nb\nc", 0), 1);
  EXPECT_EQ(line_of("a\nb\nc", 4), 3);
  EXPECT_EQ(line_of("", 9), 1);
}

}  // namespace
}  // namespace halftone
