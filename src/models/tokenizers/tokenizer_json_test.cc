// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/rng.h"
#include "models/synth/tiny_tokenizer.h"
#include "models/tokenizer.h"

namespace halftone {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<TokenId>;

Json json_file(const std::string& name) {
  const auto text = read_text_file(std::string(HALFTONE_SOURCE_DIR) + "/tests/golden/" + name);
  return text.ok() ? Json::parse(*text) : Json();
}

std::shared_ptr<const Tokenizer> open_json(const Json& json) {
  auto tokenizer = read_tokenizer_json(json.dump(), "t.json");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return tokenizer.ok() ? *tokenizer : nullptr;
}

// Letters a to d, the mark, and what they merge to; the parts under test are set by the caller.
Json letters() {
  return Json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
    "post_processor": null, "decoder": {"type": "Fuse"},
    "model": {"type": "BPE", "unk_token": "?",
              "vocab": {"?": 0, "a": 1, "b": 2, "c": 3, "d": 4, "ab": 5, "abc": 6, "cd": 7, "▁": 8, "▁a": 9, " ": 10, "1": 11, "é": 12},
              "merges": ["a b", "ab c", "c d", "▁ a"]}})");
}

Ids encoded(const Json& json, std::string_view text, bool special = true) {
  const auto tokenizer = open_json(json);
  const auto ids = tokenizer->encode(text, special);
  EXPECT_TRUE(ids.ok()) << ids.status().message();
  return ids.ok() ? *ids : Ids{};
}

TEST(TokenizerJson, TinyIsTheCommittedFile) {
  const auto text = read_text_file(std::string(HALFTONE_SOURCE_DIR) + "/tests/golden/tiny_tokenizer.json");
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, tiny_tokenizer_json());
  EXPECT_EQ(open_json(Json::parse(*text))->size(), kTinyTokenizerIds);
}

TEST(TokenizerJson, ByteLevelAgreesWithTheReference) {
  const auto tokenizer = open_json(json_file("tiny_tokenizer.json"));
  EXPECT_EQ(tokenizer->kind(), "bpe");
  const Json cases = json_file("byte_level.json");
  ASSERT_GT(cases.size(), 20u);
  for (const Json& item : cases) {
    const std::string text = item["text"];
    const auto ids = tokenizer->encode(text);
    ASSERT_TRUE(ids.ok()) << ids.status().message();
    EXPECT_EQ(*ids, item["ids"].get<Ids>()) << text;
    if (text.find("<|") == std::string::npos) {
      EXPECT_EQ(tokenizer->decode(*ids), text);
    }
  }
}

TEST(TokenizerJson, EveryTextComesBackWholeAndInPieces) {
  const auto tokenizer = open_json(json_file("tiny_tokenizer.json"));
  Rng rng(7);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (uint64_t i = rng.below(40); i > 0; --i) {
      const std::vector<std::string> parts = {"the", " ", "  ", "\n", "é",        "日本", "😀",
                                              "a",   "1", "\t", "'s", "\xCC\x81", "Ω",    "!"};
      text += parts[rng.below(parts.size())];
    }
    const auto ids = tokenizer->encode(text, false);
    ASSERT_TRUE(ids.ok());
    EXPECT_EQ(tokenizer->decode(*ids), text);
    TextStream stream(*tokenizer);
    std::string streamed;
    for (const TokenId id : *ids) streamed += stream.add(id);
    EXPECT_EQ(streamed + stream.flush(), text);
  }
}

TEST(TokenizerJson, RandomIdsDecodeToTextTheSameWayInPieces) {
  const auto tokenizer = open_json(json_file("tiny_tokenizer.json"));
  Rng rng(8);
  for (int round = 0; round < 300; ++round) {
    Ids ids;
    for (int i = 0; i < 30; ++i) ids.push_back(static_cast<TokenId>(rng.below(kTinyTokenizerIds + 3)));
    TextStream stream(*tokenizer);
    std::string streamed;
    for (const TokenId id : ids) streamed += stream.add(id);
    streamed += stream.flush();
    EXPECT_EQ(streamed, tokenizer->decode(ids));
    EXPECT_TRUE(tokenizer->encode(streamed).ok());  // valid UTF-8
  }
}

TEST(TokenizerJson, SpecialTokensCountOnlyWhereWanted) {
  const auto tokenizer = open_json(json_file("tiny_tokenizer.json"));
  const auto with = tokenizer->encode("<|end_of_text|>", true), without = tokenizer->encode("<|end_of_text|>", false);
  EXPECT_EQ(*with, (Ids{286, 287}));
  EXPECT_GT(without->size(), 5u);
  EXPECT_EQ(tokenizer->decode(*with), "");
  EXPECT_EQ(tokenizer->decode(*without), "<|end_of_text|>");
}

TEST(TokenizerJson, MergesInBothForms) {
  Json json = letters();
  EXPECT_EQ(encoded(json, "abcd"), (Ids{6, 4}));
  json["model"]["merges"] = Json::parse(R"([["a", "b"], ["ab", "c"], ["c", "d"], ["▁", "a"]])");
  EXPECT_EQ(encoded(json, "abcd"), (Ids{6, 4}));
}

TEST(TokenizerJson, IgnoreMergesTakesWholePieces) {
  Json json = letters();
  json["model"]["vocab"]["dcb"] = 20;
  EXPECT_EQ(encoded(json, "dcb"), (Ids{4, 3, 2}));
  json["model"]["ignore_merges"] = true;
  EXPECT_EQ(encoded(json, "dcb"), (Ids{20}));
  EXPECT_EQ(encoded(json, "dcba"), (Ids{4, 3, 2, 1}));
}

TEST(TokenizerJson, UnknownCharacters) {
  Json json = letters();
  EXPECT_EQ(encoded(json, "aXYb"), (Ids{1, 0, 0, 2}));
  json["model"]["fuse_unk"] = true;
  EXPECT_EQ(encoded(json, "aXYb"), (Ids{1, 0, 2}));
  json["model"]["byte_fallback"] = true;
  json["model"]["vocab"]["<0xC3>"] = 30;
  json["model"]["vocab"]["<0xB6>"] = 31;
  EXPECT_EQ(encoded(json, "aöb"), (Ids{1, 30, 31, 2}));
  EXPECT_EQ(encoded(json, "aëb"), (Ids{1, 0, 2}));  // not all of its bytes are pieces
  json["model"]["unk_token"] = nullptr;
  const auto ids = open_json(json)->encode("aë");
  ASSERT_FALSE(ids.ok());
  EXPECT_NE(ids.status().message().find("t.json: expected a piece for \"ë\""), std::string::npos)
      << ids.status().message();
}

struct Step {
  std::string part;  // JSON of one pre-tokenizer
  std::string text;
  Ids ids;
};

// Vocabulary: a 1, b 2, ab 5, abc 6, cd 7; merges never cross a cut.
TEST(TokenizerJson, PreTokenizersCut) {
  const std::vector<Step> steps = {
      {R"({"type": "Split", "pattern": {"String": "b"}, "behavior": "Isolated", "invert": false})", "abcd", {1, 2, 7}},
      {R"({"type": "Split", "pattern": {"String": "b"}, "behavior": "Removed", "invert": false})", "abcd", {1, 7}},
      {R"({"type": "Split", "pattern": {"Regex": "[ab]+"}, "behavior": "Removed", "invert": true})", "abcdab", {5, 5}},
      {R"({"type": "Split", "pattern": {"String": "b"}, "behavior": "MergedWithPrevious", "invert": false})",
       "abcd",
       {5, 7}},
      {R"({"type": "Split", "pattern": {"String": "b"}, "behavior": "MergedWithNext", "invert": false})",
       "abcd",
       {1, 2, 7}},
      {R"({"type": "Split", "pattern": {"String": "c"}, "behavior": "MergedWithNext", "invert": false})",
       "abccd",
       {5, 3, 7}},
      {R"({"type": "Split", "pattern": {"Regex": "[ab]"}, "behavior": "Contiguous", "invert": false})", "abcd", {5, 7}},
      {R"({"type": "Split", "pattern": {"Regex": "[ab]"}, "behavior": "Isolated", "invert": false})",
       "abcd",
       {1, 2, 7}},
      {R"~({"type": "Split", "pattern": {"Regex": "(?=c)"}, "behavior": "Isolated", "invert": false})~",
       "abcd",
       {5, 7}},
      {R"({"type": "Digits", "individual_digits": true})", "a11b", {1, 11, 11, 2}},
      {R"({"type": "Sequence", "pretokenizers": [
           {"type": "Split", "pattern": {"String": "b"}, "behavior": "MergedWithPrevious", "invert": false},
           {"type": "Split", "pattern": {"String": "a"}, "behavior": "Isolated", "invert": false}]})",
       "abcd",
       {1, 2, 7}},
      {R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true})",
       "ab ab",
       {8, 5, 8, 5}},
      {R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false})", "b b", {8, 2, 8, 2}},
      {R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never"})", "ab ab", {5, 8, 5}},
      {R"({"type": "Metaspace", "replacement": "▁", "add_prefix_space": true})", " a", {9}},
      {R"({"type": "WhitespaceSplit"})", " ab  c\n", {5, 3}},
      {R"({"type": "Whitespace"})", "ab! cd", {5, 0, 7}},
      {R"({"type": "Punctuation"})", "ab-cd", {5, 0, 7}},
      {R"({"type": "BertPreTokenizer"})", "ab, cd", {5, 0, 7}},
      {R"({"type": "CharDelimiterSplit", "delimiter": "b"})", "abcd", {1, 7}},
  };
  for (const Step& step : steps) {
    Json json = letters();
    json["pre_tokenizer"] = Json::parse(step.part);
    EXPECT_EQ(encoded(json, step.text), step.ids) << step.part;
  }
}

TEST(TokenizerJson, NormalizersRewrite) {
  const std::vector<Step> steps = {
      {R"({"type": "NFC"})", "e\xCC\x81", {12}},
      {R"({"type": "NFD"})", "é", {0, 0}},
      {R"({"type": "NFKC"})", "ａ", {1}},
      {R"({"type": "Lowercase"})", "AB", {5}},
      {R"({"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]})", "áb", {5}},
      {R"({"type": "Strip", "strip_left": true, "strip_right": false})", " a ", {1, 10}},
      {R"({"type": "Strip", "strip_left": false, "strip_right": true})", " a ", {10, 1}},
      {R"({"type": "Strip", "strip_left": true, "strip_right": true})", " \t\n ", {}},
      {R"({"type": "Prepend", "prepend": "▁"})", "ab", {8, 5}},
      {R"({"type": "Prepend", "prepend": "▁"})", "", {}},
      {R"({"type": "Nmt"})", "a\x01\tb", {1, 10, 2}},
      {R"({"type": "BertNormalizer", "lowercase": true})", "A\x01\xCC\x81 B\t", {1, 10, 2, 10}},
      {R"({"type": "BertNormalizer", "lowercase": false, "strip_accents": false})", "é", {12}},
      {R"({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})", "a a", {1, 9}},
      {R"({"type": "Replace", "pattern": {"Regex": "[0-9]+"}, "content": "b"})", "a123c", {6}},
  };
  for (const Step& step : steps) {
    Json json = letters();
    json["normalizer"] = Json::parse(step.part);
    EXPECT_EQ(encoded(json, step.text), step.ids) << step.part;
  }
}

TEST(TokenizerJson, AddedTokens) {
  Json json = letters();
  const auto token = [](int id, const std::string& content) {
    return Json{{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", true}};
  };
  json["added_tokens"] =
      Json::array({token(40, "<x>"), token(41, "<x>y"), token(42, "<l>"), token(43, "<w>"), token(44, "abc")});
  json["added_tokens"][2]["lstrip"] = json["added_tokens"][2]["rstrip"] = true;
  json["added_tokens"][3]["single_word"] = true;
  json["added_tokens"][4]["special"] = false;
  json["model"]["vocab"].erase("abc");
  json["model"]["merges"] = Json::parse(R"(["a b", "c d"])");
  EXPECT_EQ(encoded(json, "a<x>b"), (Ids{1, 40, 2}));
  EXPECT_EQ(encoded(json, "<x>y"), (Ids{41}));  // the longest
  EXPECT_EQ(encoded(json, "a  <l>  b"), (Ids{1, 42, 2}));
  EXPECT_EQ(encoded(json, "a<w>"), (Ids{1, 0, 0, 0}));
  EXPECT_EQ(encoded(json, " <w> "), (Ids{10, 43, 10}));
  EXPECT_EQ(encoded(json, "abcd", false), (Ids{44, 4}));  // no special token: found without asking
  EXPECT_EQ(open_json(json)->decode({44, 40, 1}), "abca");
  json["normalizer"] = Json::parse(R"({"type": "Lowercase"})");
  json["added_tokens"][4]["normalized"] = true;
  EXPECT_EQ(encoded(json, "ABC<X>"), (Ids{44, 0, 0, 0}));
  EXPECT_EQ(encoded(json, "AB<x>"), (Ids{5, 40}));
}

TEST(TokenizerJson, DecodersOfTheLlama2Kind) {
  Json json = letters();
  json["model"]["vocab"]["<0xC3>"] = 30;
  json["model"]["vocab"]["<0xB6>"] = 31;
  json["decoder"] = Json::parse(R"({"type": "Sequence", "decoders": [
      {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
      {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})");
  const auto tokenizer = open_json(json);
  EXPECT_EQ(tokenizer->decode({9, 2, 9, 30, 31}), "ab aö");
  EXPECT_EQ(tokenizer->bytes_of(9), " a");
  EXPECT_EQ(tokenizer->bytes_of(30), "\xC3");
  EXPECT_EQ(tokenizer->decode({30, 9}), "\xEF\xBF\xBD a");
  TextStream follows(*tokenizer, false);
  EXPECT_EQ(follows.add(9), " a");
  EXPECT_EQ(follows.add(30), "");
  EXPECT_EQ(follows.add(31), "ö");
}

TEST(TokenizerJson, TextMustBeUtf8) {
  const auto ids = open_json(letters())->encode("ab\xFF");
  ASSERT_FALSE(ids.ok());
  EXPECT_EQ(ids.status().message(),
            "[tokenizer] expected text in UTF-8, got byte 0xff at offset 2; convert the text first");
}

TEST(TokenizerJson, AnExplodingExpressionIsAnError) {
  Json json = letters();
  json["pre_tokenizer"] =
      Json::parse(R"({"type": "Split", "pattern": {"Regex": "(a+)+[bd]"}, "behavior": "Isolated", "invert": false})");
  const auto ids = open_json(json)->encode(std::string(60, 'a') + "c");
  ASSERT_FALSE(ids.ok());
  EXPECT_NE(ids.status().message().find("expected a match in a bounded number of steps"), std::string::npos)
      << ids.status().message();
}

struct JsonFault {
  std::string pointer, value, message;  // a value put into the letters tokenizer; a part of the message
};

const JsonFault kJsonFaults[] = {
    {"/model/type", R"("Unigram")",
     "t.json: model.vocab: expected a list of [piece, score] for type Unigram, got an object"},
    {"/model/type", R"("Bytes")", "t.json: model.type: expected BPE, Unigram, WordPiece or WordLevel, got \"Bytes\""},
    {"/model/vocab", R"([["a", "b"]])", "model.vocab[0]: expected [piece, score], got \"b\""},
    {"/model/vocab", R"([7])", "model.vocab[0]: expected [piece, score], got a number"},
    {"/model/vocab", R"([["a"]])", "model.vocab[0]: expected [piece, score], got a list of 1"},
    {"/model/dropout", "0.1", "model.dropout: expected null"},
    {"/model/end_of_word_suffix", R"("</w>")", "model.end_of_word_suffix: expected none"},
    {"/model/unk_token", R"("zz")", "model.unk_token: expected a piece of the vocabulary, got \"zz\""},
    {"/model/speed", "1", "model.speed: expected one of"},
    {"/model/vocab", "{}", "model.vocab: expected pieces with ids, got none"},
    {"/model/vocab", "[[\"a\", -1.5]]", "model.vocab: expected pieces with ids for type BPE, got a list"},
    {"/model/vocab/a", "2", "model.vocab: expected ids used once, got id 2"},
    {"/model/vocab/a", "-1", "model.vocab: expected an id from 0"},
    {"/model/vocab/a", "99999999999999999999", "model.vocab: "},
    {"/model/vocab/a", R"("x")", "model.vocab: expected a whole number for piece \"a\", got string"},
    {"/model/vocab/a", "{}", "model.vocab: expected a whole number for piece \"a\", got an object"},
    {"/model/merges/1", R"("a")", "model.merges[1]: expected \"a b\" or [\"a\", \"b\"], got \"a\""},
    {"/model/merges/1", R"("a b c")", "model.merges[1]"},
    {"/model/merges/1", R"(["a"])", "model.merges[1]: expected \"a b\" or [\"a\", \"b\"], got a list of 1"},
    {"/model/merges/1", R"(["a", ""])", "model.merges[1]"},
    {"/model/merges/1", R"(["a", ["b"]])", "model.merges[1]"},
    {"/model/merges/1", "7", "model.merges[1]"},
    {"/model/merges/1", R"("a d")",
     "t.json: model.merges[1]: expected \"a\" + \"d\" and what they give in the vocabulary, got no piece \"ad\""},
    {"/model/merges/1", R"("x b")", "got no piece \"x\""},
    {"/model/merges/1", R"("a b")", "model.merges[1]: expected every merge once"},
    {"/surprise", "1", "t.json: surprise: expected one of version"},
    {"/decoder", "null", "decoder: expected a decoder, got none"},
    {"/decoder", R"({"type": "CTC"})", "decoder.type: expected ByteLevel, ByteFallback"},
    {"/decoder", R"({"type": "Strip", "content": " ", "start": 0, "stop": 1})", "decoder.stop: expected 0"},
    {"/decoder", R"({"type": "Replace", "pattern": {"Regex": "a"}, "content": ""})",
     "decoder.pattern.Regex: expected one of String"},
    {"/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "AAA"})",
     "normalizer.precompiled_charsmap: expected a character map"},
    {"/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "?"})",
     "normalizer.precompiled_charsmap: expected base64"},
    {"/normalizer", "3", "normalizer: expected a JSON object, got 3"},
    {"/normalizer", R"({"type": "NFC", "fast": true})", "normalizer.fast: expected one of type"},
    {"/normalizer", R"({"type": "Sequence", "normalizers": [{"type": "Nfq"}]})",
     "normalizer.normalizers[0].type: expected NFC"},
    {"/pre_tokenizer", R"({"type": "UnicodeScripts"})", "pre_tokenizer.type: expected ByteLevel, Split"},
    {"/pre_tokenizer", R"({"type": "Split", "pattern": {"Regex": "a("}, "behavior": "Isolated"})",
     "pre_tokenizer.pattern: expected a regular expression, got \"a(\""},
    {"/pre_tokenizer", R"({"type": "Split", "pattern": {}, "behavior": "Isolated"})",
     "pre_tokenizer.pattern: expected either"},
    {"/pre_tokenizer", R"({"type": "Split", "pattern": {"String": ""}, "behavior": "Isolated"})",
     "expected a string of at least one character"},
    {"/pre_tokenizer", R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "Doubled"})",
     "pre_tokenizer.behavior: expected Removed"},
    {"/pre_tokenizer", R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]})",
     "pre_tokenizer.pretokenizers[1].type: expected ByteLevel to be the last step, got Digits"},
    {"/pre_tokenizer", R"({"type": "Metaspace", "prepend_scheme": "maybe"})",
     "prepend_scheme: expected always, first or never"},
    {"/post_processor", R"({"type": "PairProcessing"})", "post_processor.type: expected TemplateProcessing"},
    {"/post_processor", R"({"type": "BertProcessing", "cls": ["a", 1]})", "post_processor.sep: expected [token, id]"},
    {"/post_processor",
     R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": {}})",
     "expected ids of special token \"<s>\""},
    {"/post_processor", R"({"type": "TemplateProcessing", "single": [], "special_tokens": {}})",
     "post_processor.single: expected {\"Sequence\": ...} once"},
    {"/post_processor",
     R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "s"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"s": {"ids": [99]}}})",
     "post_processor: expected ids below 13, got 99"},
    {"/added_tokens", R"([{"id": 2, "content": "new"}])",
     "added_tokens: expected an id of its own for \"new\", got 2, which is \"b\""},
    {"/added_tokens", R"([{"id": 50, "content": "ab"}])", "added_tokens: expected \"ab\" to have id 5"},
    {"/added_tokens", R"([{"id": 50, "content": ""}])", "added_tokens[0].content: expected text"},
    {"/added_tokens", R"([{"content": "x"}])", "added_tokens[0].id: expected this key"},
    {"/added_tokens", R"([{"id": 50, "content": "x"}, {"id": 50, "content": "y"}])", "expected one content for id 50"},
    {"/added_tokens", R"([{"id": 50, "content": "x", "color": 1}])", "added_tokens[0].color: expected one of"},
};

TEST(TokenizerJson, FaultsNameFileAndConstruct) {
  for (const JsonFault& fault : kJsonFaults) {
    Json json = letters();
    json[Json::json_pointer(fault.pointer)] = Json::parse(fault.value);
    const auto tokenizer = read_tokenizer_json(json.dump(), "t.json");
    ASSERT_FALSE(tokenizer.ok()) << fault.pointer << " " << fault.value;
    EXPECT_NE(tokenizer.status().message().find(fault.message), std::string::npos)
        << fault.pointer << " " << fault.value << "\n"
        << tokenizer.status().message();
    EXPECT_NE(tokenizer.status().message().find("t.json"), std::string::npos) << tokenizer.status().message();
  }
}

TEST(TokenizerJson, EveryTruncationIsAnError) {
  const std::string text = letters().dump();
  for (size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(read_tokenizer_json(text.substr(0, length), "t.json").ok()) << length;
  }
}

TEST(TokenizerJson, KeysTwiceAndDeepNestingAreErrors) {
  EXPECT_NE(read_tokenizer_json(R"({"model": {}, "model": {}})", "t.json").status().message().find("\"model\" twice"),
            std::string::npos);
  EXPECT_NE(read_tokenizer_json(R"({"model": {"vocab": {"a": 1}, "vocab": {"b": 1}}})", "t.json")
                .status()
                .message()
                .find("\"vocab\" twice"),
            std::string::npos);
  EXPECT_NE(read_tokenizer_json(R"({"model": {"vocab": {"a": 1, "a": 2}}})", "t.json")
                .status()
                .message()
                .find("expected pieces used once"),
            std::string::npos);
  const std::string deep = "{\"normalizer\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_NE(read_tokenizer_json(deep, "t.json").status().message().find("nested levels"), std::string::npos);
}

}  // namespace
}  // namespace halftone
