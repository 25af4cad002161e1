// SPDX-License-Identifier: Apache-2.0
#include "generate/stop_filter.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace halftone {
namespace {

TEST(StopFilter, PassesTextWhenNothingStopsIt) {
  StopFilter filter({});
  EXPECT_EQ(filter.add("abc"), "abc");
  EXPECT_EQ(filter.finish(), "");
  EXPECT_FALSE(filter.stopped());
}

TEST(StopFilter, FindsAStringAcrossPieces) {
  StopFilter filter({"###"});
  EXPECT_EQ(filter.add("one #"), "one ");
  EXPECT_EQ(filter.add("#"), "");
  EXPECT_EQ(filter.add("# two"), "");
  EXPECT_TRUE(filter.stopped());
  EXPECT_EQ(filter.add("three"), "");
  EXPECT_EQ(filter.finish(), "");
}

TEST(StopFilter, GivesBackWhatTurnedOutHarmless) {
  StopFilter filter({"END"});
  EXPECT_EQ(filter.add("the EN"), "the ");
  EXPECT_EQ(filter.add("TRY"), "ENTRY");
  EXPECT_EQ(filter.add(" E"), " ");
  EXPECT_EQ(filter.finish(), "E");
  EXPECT_FALSE(filter.stopped());
}

TEST(StopFilter, TheEarliestOfSeveralWins) {
  StopFilter filter({"zz", "b", "bc"});
  EXPECT_EQ(filter.add("aabczz"), "aa");
  EXPECT_TRUE(filter.stopped());
}

TEST(StopFilter, OverlappingBeginningsAreKept) {
  StopFilter filter({"aab"});
  EXPECT_EQ(filter.add("aaa"), "a");
  EXPECT_EQ(filter.add("ab"), "a");
  EXPECT_TRUE(filter.stopped());
}

// Whatever the borders, the result is the text before the first stop string.
TEST(StopFilter, BordersDoNotMatter) {
  Rng rng(11);
  int stopped = 0;
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) text += static_cast<char>('a' + rng.below(3));
    const std::vector<std::string> stops = {"abca", "ccab", "bbbb"};
    size_t first = std::string::npos;
    for (const auto& stop : stops) first = std::min(first, text.find(stop));
    StopFilter filter(stops);
    std::string shown;
    for (size_t at = 0; at < text.size();) {
      const size_t length = 1 + rng.below(6);
      shown += filter.add(std::string_view(text).substr(at, length));
      at += length;
    }
    shown += filter.finish();
    ASSERT_EQ(shown, text.substr(0, first)) << text;
    ASSERT_EQ(filter.stopped(), first != std::string::npos);
    stopped += filter.stopped();
  }
  EXPECT_GT(stopped, 50);
  EXPECT_LT(stopped, 450);
}

}  // namespace
}  // namespace halftone
