// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include <gtest/gtest.h>

#include <clocale>

#include "base/atomic_write.h"
#include "base/temp_folder.h"

namespace halftone {
namespace {

YamlMap parsed(std::string_view text) {
  auto map = YamlMap::parse_text(text, "f.yaml");
  EXPECT_TRUE(map.ok()) << map.status().message();
  return map.ok() ? std::move(map).value() : YamlMap();
}

std::string refusal(std::string_view text) {
  return std::string(YamlMap::parse_text(text, "f.yaml").status().message());
}

template <class T>
std::string message(const Result<T>& result) {
  return std::string(result.status().message());
}

TEST(Yaml, ReadsEveryKind) {
  YamlMap map = parsed(
      "name: int4\nratio: 0.5\ncount: 2000\nflag: true\nlist: [a, b]\none: c\n"
      "rules:\n  - match: x\n  - match: y\nnested: {deep: 1}\nnegative: -1.5e-3\nplus: +7\nquoted: \"12\"\n");
  EXPECT_EQ(*map.text("name"), "int4");
  EXPECT_EQ(*map.number("ratio"), 0.5);
  EXPECT_EQ(*map.number("negative"), -1.5e-3);
  EXPECT_EQ(*map.integer("count"), 2000);
  EXPECT_EQ(*map.integer("plus"), 7);
  EXPECT_TRUE(*map.boolean("flag"));
  EXPECT_EQ(*map.texts("list"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(*map.texts("one"), (std::vector<std::string>{"c"}));
  EXPECT_EQ(*map.text("quoted"), "12");
  auto rules = map.maps("rules");
  ASSERT_TRUE(rules.ok());
  ASSERT_EQ(rules->size(), 2u);
  EXPECT_EQ(*(*rules)[1].text("match"), "y");
  auto nested = map.map("nested");
  ASSERT_TRUE(nested.ok());
  EXPECT_EQ(*nested->integer("deep"), 1);
  EXPECT_TRUE(nested->finish().ok());
  EXPECT_TRUE(map.finish().ok()) << map.finish().message();
  EXPECT_EQ(map.keys().front(), "name");
  EXPECT_EQ(map.keys().size(), 11u);
}

TEST(Yaml, MissingKeysTakeTheFallbackOrFail) {
  YamlMap map = parsed("a: 1\n");
  EXPECT_EQ(*map.text("b", "x"), "x");
  EXPECT_EQ(*map.number("c", 1.5), 1.5);
  EXPECT_EQ(*map.integer("d", 3), 3);
  EXPECT_TRUE(*map.boolean("e", true));
  EXPECT_TRUE(map.texts("f")->empty());
  EXPECT_TRUE(map.maps("g")->empty());
  EXPECT_TRUE(map.map("h")->finish().ok());
  EXPECT_TRUE(map.node("i").IsNull());
  EXPECT_EQ(message(map.text("z")), "f.yaml:1: z: expected this key, got none; add it");
  EXPECT_FALSE(map.number("z").ok());
  EXPECT_FALSE(map.integer("z").ok());
  EXPECT_FALSE(map.boolean("z").ok());
}

TEST(Yaml, UnknownKeyNamesTheNearest) {
  YamlMap map = parsed("layout: int4\n\nmehtod: nearest\n");
  EXPECT_TRUE(map.has("layout"));
  EXPECT_FALSE(map.has("method"));
  EXPECT_EQ(map.finish().message(), "f.yaml:3: mehtod: unknown key; did you mean 'method'?");
  YamlMap far = parsed("zzz: 1\n");
  EXPECT_FALSE(far.has("layout"));
  EXPECT_FALSE(far.has("method"));
  EXPECT_EQ(far.finish().message(), "f.yaml:1: zzz: unknown key; known here: layout, method");
}

TEST(Yaml, HyphenEqualsUnderscore) {
  YamlMap map = parsed("min-decode: 3\n");
  EXPECT_EQ(*map.integer("min_decode"), 3);
  EXPECT_TRUE(map.finish().ok());
  YamlMap both = parsed("min-decode: 3\nmin_decode: 4\n");
  EXPECT_EQ(*both.integer("min_decode"), 4);
  EXPECT_EQ(both.finish().message(), "f.yaml:1: min-decode: expected each key once, got 'min_decode' as well");
}

TEST(Yaml, DuplicateKeysAreRefused) {
  EXPECT_EQ(refusal("a: 1\nb: 2\na: 3\n"), "f.yaml:3: a: expected each key once, got it again; remove one");
  YamlMap map = parsed("m:\n  x: 1\n  x: 2\n");
  EXPECT_EQ(message(map.map("m")), "f.yaml:3: x: expected each key once, got it again; remove one");
}

TEST(Yaml, NumbersAreStrict) {
  for (const std::string_view bad : {"abc", "1,5", "0x10", "1_000", "'1'", "\"1\"", ".nan", ".inf", "1e999", "", "~",
                                     "[1]", "{a: 1}", "1 2", "--1", "1e", ".", "+", "5%"}) {
    YamlMap map = parsed("k: " + std::string(bad) + "\n");
    EXPECT_FALSE(map.number("k").ok()) << bad;
    EXPECT_EQ(message(map.number("k")).rfind("f.yaml:1: k: expected", 0), 0u) << message(map.number("k"));
  }
  for (const std::string_view bad : {"1.0", "1e3", "9223372036854775808", "x", "'3'", "+-3"}) {
    YamlMap map = parsed("k: " + std::string(bad) + "\n");
    EXPECT_FALSE(map.integer("k").ok()) << bad;
  }
  for (const std::string_view bad : {"yes", "True", "1", "'true'", "on", "[]"}) {
    YamlMap map = parsed("k: " + std::string(bad) + "\n");
    EXPECT_FALSE(map.boolean("k").ok()) << bad;
  }
  YamlMap map = parsed("k: -9223372036854775808\nl: .5\nm: 5.\nn: 1E2\n");
  EXPECT_EQ(*map.integer("k"), INT64_MIN);
  EXPECT_EQ(*map.number("l"), 0.5);
  EXPECT_EQ(*map.number("m"), 5.0);
  EXPECT_EQ(*map.number("n"), 100.0);
}

TEST(Yaml, NumbersDoNotDependOnTheLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE"}) std::setlocale(LC_ALL, name);
  YamlMap map = parsed("k: 1.25\nbad: 1,25\n");
  EXPECT_EQ(*map.number("k"), 1.25);
  EXPECT_FALSE(map.number("bad").ok());
  std::setlocale(LC_ALL, before.c_str());
}

TEST(Yaml, WrongKindsAreRefused) {
  YamlMap map = parsed("a: [1]\nb: x\nc: {d: 1}\ne: [[x]]\nf: [x]\n");
  EXPECT_EQ(message(map.text("a")), "f.yaml:1: a: expected text, got a list");
  EXPECT_FALSE(map.map("b").ok());
  EXPECT_FALSE(map.maps("b").ok());
  EXPECT_EQ(message(map.texts("c")), "f.yaml:3: c: expected a list of texts, got a mapping");
  EXPECT_EQ(message(map.texts("e")), "f.yaml:4: e: expected text as item 1, got a list");
  EXPECT_EQ(message(map.maps("f")), "f.yaml:5: expected a mapping (key: value), got a single value");
}

TEST(Yaml, FilesThatAreNoMapping) {
  EXPECT_EQ(refusal(""), "f.yaml: expected a mapping (key: value), got an empty file");
  EXPECT_EQ(refusal("# only a comment\n"), "f.yaml: expected a mapping (key: value), got an empty file");
  EXPECT_EQ(refusal("- a\n- b\n"), "f.yaml:1: expected a mapping (key: value), got a list");
  EXPECT_EQ(refusal("? [a, b]\n: 1\n"), "f.yaml:1: expected a key that is a word, got a list");
  EXPECT_NE(refusal("a: 1\n---\nb: 2\n").find("expected one document, got more"), std::string::npos);
  EXPECT_EQ(refusal("a: [1\nb: 2\n").rfind("f.yaml:", 0), 0u);
  EXPECT_NE(refusal("a: *nobody\n").find("f.yaml:1: not valid YAML"), std::string::npos);
}

TEST(Yaml, HugeAndDeepInputIsRefused) {
  EXPECT_NE(refusal(std::string(100000, '[')).find("levels of nesting"), std::string::npos);
  EXPECT_NE(refusal(std::string(5 << 20, 'a')).find("expected at most"), std::string::npos);
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  EXPECT_NE(refusal(deep).find("levels of nesting"), std::string::npos);
  std::string dashes = "a:\n  ";
  for (int i = 0; i < 20000; ++i) dashes += "- ";
  EXPECT_NE(refusal(dashes).find("levels of nesting"), std::string::npos);
  EXPECT_FALSE(refusal(",").empty());  // yaml-cpp's own LoadAll would read empty documents for ever
  EXPECT_FALSE(refusal("a: 1\n]").empty());
}

TEST(Yaml, FileErrorsNameTheFile) {
  const TempFolder temp;
  auto none = YamlMap::parse_file(temp / "none.yaml");
  EXPECT_EQ(none.status().code(), StatusCode::not_found);
  ASSERT_TRUE(write_file_atomic(temp / "bad.yaml", "a: 1\n b: }\n").ok());
  EXPECT_EQ(message(YamlMap::parse_file(temp / "bad.yaml")).rfind((temp / "bad.yaml").string() + ":2: ", 0), 0u);
  ASSERT_TRUE(write_file_atomic(temp / "good.yaml", "a: 1\n").ok());
  auto good = YamlMap::parse_file(temp / "good.yaml");
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good->error("a", "too small").message(), (temp / "good.yaml").string() + ":1: a: too small");
}

TEST(NearestWord, FindsSlipsAndNothingElse) {
  const std::vector<std::string> words = {"int4_channel", "int8", "perplexity", "top_p"};
  EXPECT_EQ(nearest_word("int4-chanel", words), "int4_channel");
  EXPECT_EQ(nearest_word("perplexty", words), "perplexity");
  EXPECT_EQ(nearest_word("INT8", words), "int8");
  EXPECT_EQ(nearest_word("top-p", words), "top_p");
  EXPECT_EQ(nearest_word("banana", words), "");
  EXPECT_EQ(nearest_word("x", words), "");
  EXPECT_EQ(nearest_word("", words), "");
  EXPECT_EQ(nearest_word(std::string(100000, 'a'), words), "");
}

}  // namespace
}  // namespace halftone
