// SPDX-License-Identifier: Apache-2.0
// The small parts under the tokenizers: UTF-8, the byte alphabet, vocabulary, word marks, cache.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/utf8.h"
#include "models/tokenizers/byte_alphabet.h"
#include "models/tokenizers/decoder.h"
#include "models/tokenizers/vocabulary.h"
#include "models/tokenizers/word_cache.h"
#include "models/tokenizers/word_mark.h"

namespace halftone {
namespace {

TEST(Utf8, EveryCodePointGoesThereAndBack) {
  for (int32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    if (code_point >= 0xD800 && code_point <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, code_point);
    const Utf8Step step = utf8_step(text, 0);
    ASSERT_EQ(step.code_point, code_point);
    ASSERT_EQ(step.length, text.size());
    ASSERT_EQ(utf8_length(text[0]), text.size());
  }
}

TEST(Utf8, FindsTheFirstByteThatIsNoText) {
  EXPECT_EQ(first_invalid_utf8("plain text, longer than one word"), std::nullopt);
  EXPECT_EQ(first_invalid_utf8(""), std::nullopt);
  EXPECT_EQ(first_invalid_utf8("0123456789\xFF"), 10u);
  EXPECT_EQ(first_invalid_utf8("\xC0\x80"), 0u);           // overlong
  EXPECT_EQ(first_invalid_utf8("a\xED\xA0\x80"), 1u);      // surrogate
  EXPECT_EQ(first_invalid_utf8("a\xF4\x90\x80\x80"), 1u);  // beyond U+10FFFF
  EXPECT_EQ(first_invalid_utf8("ab\xE2\x82"), 2u);         // cut off
  EXPECT_TRUE(utf8_step("\xE2\x82", 0).incomplete);
  EXPECT_FALSE(utf8_step("\xE2\x28", 0).incomplete);
}

TEST(ByteAlphabet, EveryByteHasOneVisibleCharacter) {
  std::string bytes, text;
  for (int byte = 0; byte < 256; ++byte) {
    bytes += static_cast<char>(byte);
    text += alphabet_character(static_cast<uint8_t>(byte));
  }
  EXPECT_EQ(to_byte_alphabet(bytes), text);
  std::string back;
  ASSERT_TRUE(from_byte_alphabet(text, back));
  EXPECT_EQ(back, bytes);
  EXPECT_EQ(alphabet_character(' '), "\xC4\xA0");   // Ġ
  EXPECT_EQ(alphabet_character('\n'), "\xC4\x8A");  // Ċ
  EXPECT_FALSE(from_byte_alphabet("a b", back));
  EXPECT_EQ(back, bytes);
}

TEST(Vocabulary, FindsPiecesAndRefusesTwins) {
  Vocabulary vocabulary;
  EXPECT_EQ(vocabulary.find("a"), kNoToken);
  for (int i = 0; i < 3000; ++i) ASSERT_TRUE(vocabulary.add(fmt::format("piece{}", i), 2 * i).ok());
  EXPECT_EQ(vocabulary.find("piece1234"), 2468);
  EXPECT_EQ(vocabulary.piece(2468), "piece1234");
  EXPECT_EQ(vocabulary.piece(2469), "");
  EXPECT_EQ(vocabulary.size(), 5999);
  EXPECT_EQ(vocabulary.count(), 3000);
  EXPECT_EQ(vocabulary.add("piece7", 5).message(), "expected pieces used once, got \"piece7\" with ids 14 and 5");
  EXPECT_EQ(vocabulary.add("new", 14).message(), "expected ids used once, got id 14 for \"piece7\" and for \"new\"");
  EXPECT_FALSE(vocabulary.add("new", -1).ok());
  EXPECT_FALSE(vocabulary.add("new", kMaxTokenId + 1).ok());
}

TEST(WordMark, CutsBeforeEveryRunOfMarks) {
  const auto cut = [](std::string_view text) {
    std::vector<Range> ranges;
    cut_words(text, 0, ranges);
    std::vector<std::string> words;
    for (const Range& range : ranges) words.emplace_back(text.substr(range.begin, range.end - range.begin));
    return words;
  };
  EXPECT_EQ(cut("▁a▁▁b"), (std::vector<std::string>{"▁a", "▁▁b"}));
  EXPECT_EQ(cut("▁▁a"), (std::vector<std::string>{"▁▁a"}));
  EXPECT_EQ(cut("a▁"), (std::vector<std::string>{"a", "▁"}));
  EXPECT_EQ(cut(""), (std::vector<std::string>{}));
  EXPECT_TRUE(word_mark_inside("a▁"));
  EXPECT_TRUE(word_mark_inside("▁a▁b"));
  EXPECT_FALSE(word_mark_inside("▁▁ab"));
  EXPECT_FALSE(word_mark_inside(""));
}

TEST(WordCache, GivesBackWhatItWasGiven) {
  WordCache cache(1 << 20);
  const std::vector<TokenId> ids = {1, 2, 3};
  EXPECT_TRUE(cache.find("word").empty());
  cache.put(ids);
  const auto found = cache.find("word");
  EXPECT_EQ(std::vector<TokenId>(found.begin(), found.end()), ids);
  EXPECT_TRUE(cache.find("wore").empty());
  const std::string longer(33, 'x');
  EXPECT_TRUE(cache.find(longer).empty());
  cache.put(ids);
  EXPECT_TRUE(cache.find(longer).empty());
}

// A cache of few slots, so that words meet: of each length, words that differ in one byte, in their length, in a zero
// behind.
TEST(WordCache, TakesNoWordForAnother) {
  WordCache cache(1);
  for (size_t length = 1; length <= 32; ++length) {
    const std::string word(length, static_cast<char>('A' + length));
    (void)cache.find(word);
    cache.put(std::vector<TokenId>{7});
    ASSERT_FALSE(cache.find(word).empty()) << length;
    for (size_t at = 0; at < length; ++at) {
      std::string other = word;
      other[at] = 'b';
      EXPECT_TRUE(cache.find(other).empty()) << length << ", " << at;
    }
    EXPECT_TRUE(cache.find(word.substr(1)).empty()) << length;
    EXPECT_TRUE(cache.find(word + word[0]).empty()) << length;
    EXPECT_TRUE(cache.find(word + '\0').empty()) << length;
  }
}

TEST(ByteNames, AreReadAndWritten) {
  EXPECT_EQ(name_of_byte(0x0A), "<0x0A>");
  for (int byte = 0; byte < 256; ++byte) EXPECT_EQ(byte_of_name(name_of_byte(static_cast<uint8_t>(byte))), byte);
  EXPECT_EQ(byte_of_name("<0x0a>"), -1);
  EXPECT_EQ(byte_of_name("<0xAA"), -1);
  EXPECT_EQ(byte_of_name(""), -1);
}

}  // namespace
}  // namespace halftone
