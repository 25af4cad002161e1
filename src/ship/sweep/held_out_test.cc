// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/held_out.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"

namespace halftone {
namespace {

constexpr int kBos = 999;

Sequences texts(int64_t count, int64_t length, bool bos) {
  Rng rng(5);
  Sequences all;
  for (int64_t i = 0; i < count; ++i) {
    all.begins.push_back(all.size());
    if (bos) all.tokens.push_back(kBos);
    for (int64_t t = 0; t < length; ++t) all.tokens.push_back(static_cast<int>(rng.below(500)));
  }
  return all;
}

TEST(HeldOut, IsATenthAndNothingIsInBoth) {
  const Sequences all = texts(30, 300, true);
  const auto parts = hold_out_tenth(all, kBos);
  ASSERT_TRUE(parts.ok()) << parts.status().message();
  EXPECT_EQ(parts->calibration.count(), 27);
  EXPECT_EQ(parts->repeated, 0);
  int64_t tokens = 0;
  for (const std::vector<int>& window : parts->windows) {
    EXPECT_EQ(window.front(), kBos);
    EXPECT_LE(static_cast<int64_t>(window.size()), kHeldOutWindow);
    tokens += static_cast<int64_t>(window.size()) - 1;
  }
  EXPECT_EQ(tokens, 3 * 300);
  EXPECT_EQ(parts->calibration.size() + tokens + 3, all.size());
  // The last tokens of text 9 end a window; those of text 8 are calibration.
  const std::vector<int>& last = parts->windows[2];
  EXPECT_TRUE(std::equal(last.begin() + 1, last.end(),
                         all.tokens.begin() + all.end(9) - static_cast<int64_t>(last.size()) + 1));
  EXPECT_TRUE(std::equal(parts->calibration.tokens.begin(), parts->calibration.tokens.begin() + all.end(8),
                         all.tokens.begin()));
}

TEST(HeldOut, WhatTheCalibrationRepeatsIsLeftOut) {
  Sequences all = texts(10, 128, false);
  std::copy_n(all.tokens.begin() + all.begin(9), 128, all.tokens.begin() + all.begin(4));  // text 9 is held out
  const auto none = hold_out_tenth(all, kBos);
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.status().message().find("got 1 windows whose text all stands in the other nine tenths"),
            std::string::npos)
      << none.status().message();
  Sequences more = texts(20, 128, false);
  std::copy_n(more.tokens.begin() + more.begin(9), 128, more.tokens.begin() + more.begin(4));
  const auto parts = hold_out_tenth(more, kBos);
  ASSERT_TRUE(parts.ok()) << parts.status().message();
  EXPECT_EQ(parts->repeated, 1);
  EXPECT_EQ(parts->windows.size(), 1u);
}

TEST(HeldOut, OneTextCannotBeParted) {
  EXPECT_TRUE(hold_out_tenth(texts(2, 40, false), kBos).ok());
  const auto one = hold_out_tenth(texts(1, 400, false), kBos);
  ASSERT_FALSE(one.ok());
  EXPECT_NE(one.status().message().find("expected a calibration of at least 2 windows"), std::string::npos);
}

}  // namespace
}  // namespace halftone
