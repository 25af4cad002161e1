// SPDX-License-Identifier: Apache-2.0
// Models beside BPE, character maps, and texts made to be slow.
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "models/synth/tiny_tokenizer.h"
#include "models/tokenizer.h"
#include "models/tokenizers/characters_map.h"

namespace halftone {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<TokenId>;

std::shared_ptr<const Tokenizer> open_model(const Json& json) {
  auto tokenizer = read_tokenizer_json(json.dump(), "t.json");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return tokenizer.ok() ? *tokenizer : nullptr;
}

Json few_letters() {
  return Json::parse(R"({
    "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": {"type": "Fuse"},
    "model": {"type": "BPE", "unk_token": "?", "vocab": {"?": 0, "a": 1, "▁": 2, "aa": 3, "▁a": 4},
              "merges": ["a a", "▁ a"]}})");
}

Ids model_ids(const Json& json, std::string_view text, bool special = true) {
  const auto tokenizer = open_model(json);
  const auto ids = tokenizer->encode(text, special);
  EXPECT_TRUE(ids.ok()) << ids.status().message();
  return ids.ok() ? *ids : Ids{};
}

TEST(Models, UnigramTakesTheBestSum) {
  Json json = few_letters();
  json["model"] = Json::parse(R"({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["a", -1], ["b", -1.5],
      ["c", -2], ["ab", -2.4], ["bc", -2], ["abc", -5.5], ["▁", -3]]})");
  EXPECT_EQ(model_ids(json, "abc"), (Ids{1, 5}));  // -3 beats -4.4, -4.5 and -5.5
  EXPECT_EQ(model_ids(json, "ab"), (Ids{4}));
  EXPECT_EQ(model_ids(json, "aXYb"), (Ids{1, 0, 2}));  // unknown characters in a row are one
  EXPECT_EQ(open_model(json)->kind(), "unigram");
  json["model"]["unk_id"] = nullptr;
  EXPECT_FALSE(open_model(json)->encode("X").ok());
  json["model"]["byte_fallback"] = true;
  json["model"]["vocab"].push_back({"<0x58>", -9});
  EXPECT_EQ(model_ids(json, "aX"), (Ids{1, 8}));
}

TEST(Models, WordPieceTakesTheLongest) {
  Json json = few_letters();
  json["model"] = Json::parse(R"({"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##",
      "max_input_chars_per_word": 6, "vocab": {"?": 0, "a": 1, "ab": 2, "##b": 3, "##c": 4, "##cd": 5, "!": 6}})");
  json["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  json["post_processor"] = Json::parse(R"({"type": "BertProcessing", "sep": ["!", 6], "cls": ["?", 0]})");
  json["decoder"] = Json::parse(R"({"type": "WordPiece", "prefix": "##", "cleanup": true})");
  EXPECT_EQ(model_ids(json, "abcd ab! d"), (Ids{0, 2, 5, 2, 6, 0, 6}));
  EXPECT_EQ(model_ids(json, "abbbbbb", false), (Ids{0}));  // too long
  EXPECT_EQ(open_model(json)->decode({2, 5, 1, 6}), "abcd a!");
}

// tiktoken's lines: all bytes, then "he", "the" and a token that no merge reaches.
TEST(Models, RankFilesMergeByRankAndHaveSpecialTokens) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto base64 = [&](std::string_view bytes) {
    std::string text;
    uint32_t bits = 0, count = 0;
    for (const char c : bytes) {
      bits = bits << 8 | static_cast<uint8_t>(c);
      for (count += 8; count >= 6; count -= 6) text += kDigits[bits >> (count - 6) & 63];
    }
    if (count > 0) text += kDigits[bits << (6 - count) & 63];
    while (text.size() % 4 != 0) text += '=';
    return text;
  };
  std::string file;
  auto add = [&, rank = 0](std::string_view token) mutable {
    file += base64(token) + " " + std::to_string(rank++) + "\n";
  };
  for (int byte = 0; byte < 256; ++byte) add(std::string(1, static_cast<char>(byte)));
  for (const char* token : {"he", "the", " qxz"}) add(token);
  const auto tokenizer = read_tiktoken_ranks(std::as_bytes(std::span(file)), "t.model");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  EXPECT_EQ((*tokenizer)->kind(), "tiktoken");
  EXPECT_EQ((*tokenizer)->size(), 259 + 256);
  EXPECT_EQ(*(*tokenizer)->encode("the he"), (Ids{259, 257, ' ', 256}));
  EXPECT_EQ(*(*tokenizer)->encode("a qxz", false), (Ids{'a', 258}));  // whole words come first
  EXPECT_EQ(*(*tokenizer)->encode_template("<|eot_id|>a"), (Ids{268, 'a'}));
  EXPECT_EQ((*tokenizer)->special_text(268), "<|eot_id|>");
  EXPECT_EQ((*tokenizer)->decode({259, 257, ' ', 256}), "the he");
  const auto message = [](std::string text) {
    return std::string(read_tiktoken_ranks(std::as_bytes(std::span(text)), "t.model").status().message());
  };
  EXPECT_EQ(message("YQ== 0\nYQ= 1\n"),
            "[tokenizer] t.model: line 2: expected a token in base64 and rank 1, got \"YQ= 1\"");
  EXPECT_EQ(message("YQ== 0\nYg== 2\n"),
            "[tokenizer] t.model: line 2: expected a token in base64 and rank 1, got \"Yg== 2\"");
  EXPECT_EQ(message("YQ== 0\n"), "[tokenizer] t.model: expected a token for every byte, got none for 0x00");
}

// A map that makes "ab" of "A" and "x" of "AB": SentencePiece takes the longest, tokenizer.json's reader the shortest.
std::string small_map() {
  std::vector<uint32_t> units(512, 0x80000000);   // a label that no byte has
  constexpr uint32_t kRoot = 256, kAfterA = 384;  // where children lie: base ^ byte
  const auto unit = [](uint32_t label, uint32_t here, uint32_t children, bool value) {
    return (here ^ children) << 10 | (value ? 0x100u : 0u) | label;
  };
  units[0] = kRoot << 10;
  units[kRoot ^ 'A'] = unit('A', kRoot ^ 'A', kAfterA, true);
  units[kAfterA] = 0x80000000;  // the value behind "A": offset 0
  units[kAfterA ^ 'B'] = unit('B', kAfterA ^ 'B', 300, true);
  units[300] = 0x80000000 | 3;  // behind "AB": offset 3
  std::string blob;
  const auto add = [&](uint32_t value) {
    for (int i = 0; i < 4; ++i) blob += static_cast<char>(value >> (8 * i) & 0xFF);
  };
  add(static_cast<uint32_t>(units.size() * 4));
  for (const uint32_t value : units) add(value);
  return blob + std::string("ab\0x\0", 5);
}

TEST(Models, CharacterMapsReplace) {
  const auto map = CharactersMap::read(small_map(), "t");
  ASSERT_TRUE(map.ok()) << map.status().message();
  EXPECT_EQ(map->apply("1A2AB3"), "1ab2x3");
  EXPECT_EQ(map->apply_clusters("1A2AB3"), "1ab2abB3");
  EXPECT_EQ(map->apply(""), "");
  for (size_t length = 1; length < small_map().size(); length += 13) {
    const auto cut = CharactersMap::read(small_map().substr(0, length), "t");
    EXPECT_FALSE(cut.ok() && cut->apply("AB AB").empty());
  }
}

TEST(Models, LongRunsComeBack) {
  const auto tokenizer = open_model(Json::parse(tiny_tokenizer_json()));
  for (const std::string unit : {"a", " ", "\n", "t", "the", " t", "1", "'", "\xF0\x9F\x98\x80"}) {
    std::string text;
    while (text.size() < 300'000) text += unit;
    const auto ids = tokenizer->encode(text, false);
    ASSERT_TRUE(ids.ok()) << ids.status().message();
    EXPECT_EQ(tokenizer->decode(*ids), text);
  }
}

TEST(Models, HostileTextsEndInTime) {
  constexpr size_t kBytes = 1'000'000;
  Json byte_level = Json::parse(tiny_tokenizer_json());
  Json unigram = few_letters();
  unigram["model"] = Json::parse(R"({"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": [["<unk>", 0],
      ["a", -1], ["aa", -1.5], ["aaaaaaaa", -2], [" ", -2], ["  ", -2.4], ["▁", -3]]})");
  Json metaspace = few_letters();
  metaspace["pre_tokenizer"] = {{"type", "Metaspace"}, {"prepend_scheme", "first"}, {"split", false}};
  Json word_piece = few_letters();
  word_piece["model"] = Json::parse(R"({"type": "WordPiece", "unk_token": "?", "vocab": {"?": 0, "a": 1, "##a": 2}})");
  word_piece["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  word_piece["normalizer"] = {{"type", "BertNormalizer"}};
  for (const Json& json : {byte_level, unigram, metaspace, word_piece}) {
    const auto tokenizer = open_model(json);
    for (const std::string unit :
         {"a", " ", "\n", "'", "1", " a", "\xE2\x80\x8D", "\xF0\x9F\x91\xA9\xE2\x80\x8D", "\xCC\x81"}) {
      std::string text;
      while (text.size() < kBytes) text += unit;
      const auto begin = std::chrono::steady_clock::now();
      EXPECT_TRUE(tokenizer->encode(text, false).ok()) << unit;
      // Generous for sanitizers on a busy machine; what is quadratic takes a thousand times as long.
      EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30)) << tokenizer->kind() << " " << unit;
    }
  }
}

TEST(Models, LongRunsOfMarksEndInTime) {
  // Marks of two classes by turns, which sorting by insertion makes quadratic.
  std::string text = "a";
  while (text.size() < 1'000'000) text += "\xCC\x81\xCC\xA3";
  for (const char* form : {"NFC", "NFD", "NFKC"}) {
    Json json = few_letters();
    json["normalizer"] = {{"type", form}};
    json["model"]["byte_fallback"] = false;
    EXPECT_GT(model_ids(json, text).size(), 100'000u);
  }
}

}  // namespace
}  // namespace halftone
