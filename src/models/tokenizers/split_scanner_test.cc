// SPDX-License-Identifier: Apache-2.0
// The scanners by hand against the same expressions in the regular expression engine.
#include "models/tokenizers/split_scanner.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "base/utf8.h"
#include "models/tokenizers/pattern.h"
#include "models/tokenizers/split_patterns.h"

namespace halftone {
namespace {

constexpr std::string_view kSplitExpressions[] = {kGpt2Split, kLlama3Split, kQwen2Split, kO200kSplit, kTekkenSplit};

// One random text: words, signs and spaces of many scripts, in the neighbourhoods that the expressions tell apart.
std::string random_split_text(Rng& rng) {
  static const std::vector<std::string> kParts = {" ",
                                                  "  ",
                                                  "\n",
                                                  "\r\n",
                                                  "\t",
                                                  "'s",
                                                  "'LL",
                                                  "'\xC5\xBF",
                                                  "'r",
                                                  "'",
                                                  "the",
                                                  "The",
                                                  "THE",
                                                  "aB",
                                                  "1",
                                                  "12345",
                                                  "/",
                                                  "!?",
                                                  "...",
                                                  "\xC2\xA0",
                                                  "\xC2\x85",
                                                  "\xE3\x80\x80",
                                                  "\xE2\x80\xA8",
                                                  "\xCC\x81",
                                                  "\xE0\xA4\xBE",
                                                  "\xE2\x83\xA3",
                                                  "\xC3\x89",
                                                  "\xC3\xA9",
                                                  "\xC7\x85",
                                                  "\xCA\xB0",
                                                  "\xE6\x97\xA5\xE6\x9C\xAC",
                                                  "\xED\x95\x9C",
                                                  "\xD7\xA9",
                                                  "\xF0\x9F\x98\x80",
                                                  "\xE2\x80\x8D",
                                                  "\xEF\xB8\x8F",
                                                  "\xC2\xBD",
                                                  "\xE2\x85\xA3",
                                                  "\xD9\xA3",
                                                  "\xF0\x9F\x84\x80",
                                                  "\xEE\x80\x80",
                                                  "_",
                                                  "$"};
  // Blocks whose characters have not changed class in years.
  static constexpr std::pair<int32_t, int32_t> kBlocks[] = {
      {0x20, 0x7E},   {0xA0, 0x24F},    {0x300, 0x36F},   {0x400, 0x481},   {0x5D0, 0x5EA},
      {0x904, 0x94D}, {0x2000, 0x200D}, {0x2150, 0x2188}, {0x3041, 0x3096}, {0x4E00, 0x4E80}};
  std::string text;
  for (uint64_t i = 1 + rng.below(24); i > 0; --i) {
    if (rng.below(2) == 0) {
      text += kParts[rng.below(kParts.size())];
    } else {
      const auto [low, high] = kBlocks[rng.below(std::size(kBlocks))];
      append_utf8(text, low + static_cast<int32_t>(rng.below(static_cast<uint64_t>(high - low + 1))));
    }
  }
  return text;
}

TEST(SplitScanner, AgreesWithTheExpressionOnAnyText) {
  for (const std::string_view expression : kSplitExpressions) {
    const SplitKind kind = split_kind_of(expression);
    ASSERT_NE(kind, SplitKind::none);
    // In a group the text is not one of the known ones, and goes to the engine.
    const auto pattern = Pattern::regex("(?:" + std::string(expression) + ")", "test");
    ASSERT_TRUE(pattern.ok()) << pattern.status().message();
    Pattern::Matcher matcher(*pattern);
    Rng rng(11);
    for (int round = 0; round < 20'000; ++round) {
      const std::string text = random_split_text(rng);
      std::vector<Range> expected, found;
      ASSERT_TRUE(matcher.find_all(text, 5, expected).ok());
      scan_split(kind, text, 5, found);
      ASSERT_TRUE(found == expected) << expression << "\n\"" << text << "\"";
    }
  }
}

TEST(SplitScanner, EveryAsciiPairAgrees) {
  for (const std::string_view expression : kSplitExpressions) {
    const auto pattern = Pattern::regex("(?:" + std::string(expression) + ")", "test");
    ASSERT_TRUE(pattern.ok());
    Pattern::Matcher matcher(*pattern);
    for (int pair = 0; pair < 128 * 128; ++pair) {
      const std::string text = {static_cast<char>(pair / 128), static_cast<char>(pair % 128), 'a'};
      std::vector<Range> expected, found;
      ASSERT_TRUE(matcher.find_all(text, 0, expected).ok());
      scan_split(split_kind_of(expression), text, 0, found);
      ASSERT_TRUE(found == expected) << expression << " " << pair;
    }
  }
}

TEST(SplitScanner, KnowsItsOwnExpressionsOnly) {
  EXPECT_EQ(split_kind_of(kGpt2Split), SplitKind::gpt2);
  EXPECT_EQ(split_kind_of("\\s+"), SplitKind::none);
  EXPECT_EQ(split_kind_of(""), SplitKind::none);
}

}  // namespace
}  // namespace halftone
