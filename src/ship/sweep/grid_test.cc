// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/grid.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace halftone {
namespace {

std::vector<std::string> names_of(const SweepGrid& grid) {
  std::vector<std::string> names;
  for (const GridPoint& point : grid.points) names.push_back(point.name);
  return names;
}

std::string error_of(const GridOptions& options) {
  const auto grid = make_grid(options);
  return grid.ok() ? "" : std::string(grid.status().message());
}

TEST(SweepGrid, HasWhatExistsAndSaysWhatDoesNot) {
  const auto grid = make_grid({{3, 4}, {"channel", "block32", "group16", "k32"}, {"nearest", "kmeans"}});
  ASSERT_TRUE(grid.ok()) << grid.status().message();
  EXPECT_EQ(names_of(*grid),
            (std::vector<std::string>{"int4_channel-nearest", "int4_block32-nearest", "lut4_group16-kmeans",
                                      "int3_block32-nearest", "lut3_group16-kmeans"}));
  std::vector<std::string> left;
  for (const LeftOut& one : grid->left_out) left.push_back(one.what + ": " + one.why);
  const auto has = [&](const char* line) { return std::count(left.begin(), left.end(), line); };
  EXPECT_EQ(has("3 bits, channel: there is no such layout"), 1);
  EXPECT_EQ(has("3 bits, k32: there is no such layout"), 1);
  EXPECT_EQ(has("int4_channel-kmeans: kmeans cannot fill int4_channel"), 1);
  EXPECT_EQ(has("lut4_group16-nearest: nearest cannot fill lut4_group16"), 1);
  EXPECT_EQ(has("uint4_k32-nearest: nearest cannot fill uint4_k32"), 1);
  EXPECT_EQ(left.size() + grid->points.size(), 6u * 2 + 2);  // every cell once; two have no layout
}

TEST(SweepGrid, APointIsARecipe) {
  const auto grid = make_grid({{4}, {"block32"}, {"nearest", "gptq", "tuned"}});
  ASSERT_TRUE(grid.ok()) << grid.status().message();
  const std::vector<GridPoint>& points = grid->points;
  ASSERT_EQ(points.size(), 3u);
  EXPECT_FALSE(points[0].uses_data());
  EXPECT_TRUE(points[1].uses_data());
  EXPECT_EQ(points[1].recipe.tune.steps, 0);
  EXPECT_EQ(points[2].recipe.rules[0].method, "gptq");
  EXPECT_EQ(points[2].recipe.rules[0].layout->name, "int4_block32");
  EXPECT_GT(points[2].recipe.tune.steps, 0);
}

TEST(SweepGrid, BadInput) {
  EXPECT_EQ(
      error_of({{4}, {"block32"}, {"neerest"}}).find("[sweep] --methods: expected values of nearest, search, gptq"),
      0u);
  EXPECT_NE(error_of({{4}, {"block32"}, {"neerest"}}).find("got 'neerest'"), std::string::npos);
  EXPECT_EQ(error_of({{7}, {"block32"}, {"nearest"}}),
            "[sweep] --bits: expected values of 8, 6, 5, 4, 3, 2, 1, got '7'");
  EXPECT_NE(error_of({{4}, {"block33"}, {"nearest"}}).find("got 'block33'"), std::string::npos);
  EXPECT_EQ(error_of({{4, 4}, {"block32"}, {"nearest"}}), "[sweep] --bits: expected each value once, got 4 twice");
  EXPECT_NE(error_of({{4}, {"block32"}, {}}).find("--methods: expected at least one of"), std::string::npos);
  EXPECT_EQ(error_of({{3}, {"channel"}, {"nearest"}}),
            "[sweep] expected a grid of at least one point, got none: 3 bits, channel: there is no such layout");
}

}  // namespace
}  // namespace halftone
