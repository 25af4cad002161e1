// SPDX-License-Identifier: Apache-2.0
#include "ship/json_difference.h"

#include <gtest/gtest.h>

namespace halftone {
namespace {

using Json = nlohmann::ordered_json;

TEST(JsonDifference, NamesTheFirstPlace) {
  const Json left = {{"a", 1}, {"b", {{"c", {1, 2, 3}}}}, {"d", 4}};
  Json right = left;
  int64_t equal = 0;
  EXPECT_FALSE(first_difference(left, right, "x", &equal).has_value());
  EXPECT_EQ(equal, 5);
  right["b"]["c"][1] = 9;
  right["d"] = 5;
  const auto found = first_difference(left, right, "x", nullptr);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->path, "x.b.c[1]");
  EXPECT_EQ(found->left, "2");
  EXPECT_EQ(found->right, "9");
}

TEST(JsonDifference, SeesWhatOneSideLacks) {
  const Json whole = {{"a", 1}, {"b", {1, 2}}};
  EXPECT_EQ(first_difference(whole, {{"a", 1}}, "", nullptr)->path, ".b");
  EXPECT_EQ(first_difference({{"a", 1}}, whole, "", nullptr)->left, "nothing");
  EXPECT_EQ(first_difference(whole, {{"a", 1}, {"b", {1}}}, "", nullptr)->path, ".b[1]");
  EXPECT_EQ(first_difference({{"a", {1}}}, {{"a", {1, 2}}}, "", nullptr)->path, ".a[1]");
  EXPECT_TRUE(first_difference({{"a", nullptr}}, {{"a", 0}}, "", nullptr).has_value());
}

TEST(JsonDifference, OrderOfKeysIsNoDifference) {
  EXPECT_FALSE(
      first_difference(Json::parse(R"({"a":1,"b":2})"), Json::parse(R"({"b":2,"a":1})"), "", nullptr).has_value());
}

}  // namespace
}  // namespace halftone
