// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/atomic_write.h"
#include "base/file_map.h"
#include "formats/gguf/gguf.h"
#include "models/synth/tiny_tokenizer.h"
#include "models/tokenizer.h"

namespace halftone {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<TokenId>;

// A file of metadata alone, as bytes.
std::string metadata_file(GgufMetadata metadata) {
  GgufPlan plan;
  plan.metadata = std::move(metadata);
  const auto head = gguf_head(plan, "t.gguf");
  EXPECT_TRUE(head.ok()) << head.status().message();
  return *head;
}

Result<std::shared_ptr<const Tokenizer>> read_metadata(GgufMetadata metadata) {
  const std::string file = metadata_file(std::move(metadata));
  return read_gguf_vocabulary(std::as_bytes(std::span(file)), "t.gguf");
}

std::string metadata_message(GgufMetadata metadata) {
  const auto tokenizer = read_metadata(std::move(metadata));
  return tokenizer.ok() ? "accepted" : std::string(tokenizer.status().message());
}

Ids ids_of(const Result<std::shared_ptr<const Tokenizer>>& tokenizer, std::string_view text, bool special = true) {
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  if (!tokenizer.ok()) return {};
  const auto ids = (*tokenizer)->encode(text, special);
  EXPECT_TRUE(ids.ok()) << ids.status().message();
  return ids.ok() ? *ids : Ids{};
}

// <unk> <s> </s>, then a 3, b 4, ▁ 5, ab 6, ▁a 7, a byte 8, an added token 9, padding 10.
GgufMetadata scored_metadata() {
  GgufMetadata metadata;
  metadata.text("tokenizer.ggml.model", "llama");
  metadata.texts("tokenizer.ggml.tokens", std::vector<std::string>{"<unk>", "<s>", "</s>", "a", "b", "▁", "ab", "▁a",
                                                                   "<0x0A>", "to do", "[PAD]"});
  metadata.f32s("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, -3, -4, -5, -1, -2, 0, 0, -1000});
  metadata.i32s("tokenizer.ggml.token_type", std::vector<int32_t>{2, 3, 3, 1, 1, 1, 1, 1, 6, 4, 2});
  metadata.u32("tokenizer.ggml.bos_token_id", 1);
  metadata.u32("tokenizer.ggml.eos_token_id", 2);
  metadata.u32("tokenizer.ggml.unknown_token_id", 0);
  return metadata;
}

TEST(GgufVocabulary, ScoredKindReadsAsSentencePiece) {
  const auto tokenizer = read_metadata(scored_metadata());
  EXPECT_EQ(ids_of(tokenizer, "ab"), (Ids{1, 5, 6}));
  EXPECT_EQ(ids_of(tokenizer, "ab a", false), (Ids{5, 6, 7}));
  EXPECT_EQ(ids_of(tokenizer, "a\n\x01", false), (Ids{7, 8, 0}));
  EXPECT_EQ(ids_of(tokenizer, "ato dob", false), (Ids{7, 9, 5, 4}));
  EXPECT_EQ(ids_of(tokenizer, "a</s>b"), (Ids{1, 7, 2, 5, 4}));
  EXPECT_EQ((*tokenizer)->decode({1, 7, 8, 9, 5, 6}), "a\nto do ab");
  EXPECT_EQ((*tokenizer)->kind(), "sentencepiece-bpe");
}

TEST(GgufVocabulary, FlagsOfTheFileCount) {
  GgufMetadata metadata = scored_metadata();
  metadata.boolean("tokenizer.ggml.add_bos_token", false);
  metadata.boolean("tokenizer.ggml.add_eos_token", true);
  metadata.boolean("tokenizer.ggml.add_space_prefix", false);
  EXPECT_EQ(ids_of(read_metadata(metadata), "ab"), (Ids{6, 2}));
  GgufMetadata collapsed = scored_metadata();
  collapsed.boolean("tokenizer.ggml.remove_extra_whitespaces", true);
  EXPECT_EQ(ids_of(read_metadata(collapsed), "  a  a ", false), (Ids{7, 7}));
}

TEST(GgufVocabulary, WordPiecesAreMarkedWhereTheyBegin) {
  GgufMetadata metadata;
  metadata.text("tokenizer.ggml.model", "bert");
  metadata.texts("tokenizer.ggml.tokens", std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁un", "▁a",
                                                                   "aff", "able", "▁,", "s", "▁["});
  metadata.i32s("tokenizer.ggml.token_type", std::vector<int32_t>{3, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1});
  metadata.u32("tokenizer.ggml.cls_token_id", 2);
  metadata.u32("tokenizer.ggml.seperator_token_id", 3);  // the key is spelt so
  const auto tokenizer = read_metadata(metadata);
  EXPECT_EQ(ids_of(tokenizer, "UnÁffables, a"), (Ids{2, 4, 6, 7, 9, 8, 5, 3}));  // a capital, an accent, the ends
  EXPECT_EQ(ids_of(tokenizer, "un unx [a", false), (Ids{4, 1, 10, 5}));          // a word with an unknown part
  EXPECT_EQ((*tokenizer)->decode({4, 6, 7, 8, 5}), "unaffable, a");
  EXPECT_EQ((*tokenizer)->kind(), "wordpiece");
}

TEST(GgufVocabulary, ControlTokensOfPhi3TakeTheSpaceBehindThem) {
  GgufMetadata metadata = scored_metadata();
  metadata.text("general.architecture", "phi3");
  EXPECT_EQ(ids_of(read_metadata(metadata), "</s> \nab<s>\n", true), (Ids{1, 2, 5, 6, 1, 5, 8}));
}

// The tiny tokenizer written as GGUF.
GgufMetadata tiny_metadata(std::string_view pre) {
  const Json json = Json::parse(tiny_tokenizer_json());
  std::vector<std::string> tokens(kTinyTokenizerIds), merges = json["model"]["merges"];
  std::vector<int32_t> types(kTinyTokenizerIds, 1);
  for (const auto& [text, id] : json["model"]["vocab"].items()) tokens[id] = text;
  for (const Json& added : json["added_tokens"]) {
    tokens[added["id"]] = added["content"];
    types[added["id"]] = 3;
  }
  GgufMetadata metadata;
  metadata.text("tokenizer.ggml.model", "gpt2");
  if (!pre.empty()) metadata.text("tokenizer.ggml.pre", pre);
  metadata.texts("tokenizer.ggml.tokens", tokens);
  metadata.i32s("tokenizer.ggml.token_type", types);
  metadata.texts("tokenizer.ggml.merges", merges);
  metadata.u32("tokenizer.ggml.bos_token_id", kTinyTokenizerIds - 2);
  metadata.u32("tokenizer.ggml.eos_token_id", kTinyTokenizerIds - 1);
  return metadata;
}

TEST(GgufVocabulary, ByteLevelKindAgreesWithTheSameTokenizerAsJson) {
  const auto text = read_text_file(std::string(HALFTONE_SOURCE_DIR) + "/tests/golden/byte_level.json");
  ASSERT_TRUE(text.ok());
  GgufMetadata metadata = tiny_metadata("smaug-bpe");
  metadata.boolean("tokenizer.ggml.add_bos_token", true);
  const auto tokenizer = read_metadata(std::move(metadata));
  for (const Json& item : Json::parse(*text)) {
    EXPECT_EQ(ids_of(tokenizer, item["text"].get<std::string>()), item["ids"].get<Ids>()) << item["text"];
  }
}

TEST(GgufVocabulary, EveryPreKindCutsAndComesBack) {
  for (const std::string_view pre : {"", "default", "gpt-2", "phi-2", "llama-bpe", "qwen2", "gpt-4o", "tekken",
                                     "starcoder", "smollm", "falcon3", "stablelm2"}) {
    const auto tokenizer = read_metadata(tiny_metadata(pre));
    for (const std::string_view text : {"The cat's 12345 mice, they'LL\r\n\n run  to É日本!", "", "  \n x"}) {
      EXPECT_EQ((*tokenizer)->decode(ids_of(tokenizer, text, false)), text) << pre;
    }
  }
  EXPECT_EQ(ids_of(read_metadata(tiny_metadata("llama-bpe")), "a"), (Ids{286, 97}));  // bos by the kind's own default
  EXPECT_EQ(ids_of(read_metadata(tiny_metadata("gpt-2")), "a"), (Ids{97}));
  // Qwen2 composes first, as its reference does: e + U+0301 are the two bytes of é.
  EXPECT_EQ(ids_of(read_metadata(tiny_metadata("qwen2")), "e\xCC\x81"),
            ids_of(read_metadata(tiny_metadata("qwen2")), "\xC3\xA9"));
}

TEST(GgufVocabulary, FaultsNameFileAndKey) {
  EXPECT_EQ(metadata_message({}), "[tokenizer] t.gguf: tokenizer.ggml.model: expected a vocabulary, got none");
  GgufMetadata other;
  other.text("tokenizer.ggml.model", "rwkv");
  EXPECT_EQ(metadata_message(other),
            "[tokenizer] t.gguf: tokenizer.ggml.model: expected llama, gpt2 or bert, got \"rwkv\"; put the model's "
            "tokenizer.json beside the file");
  GgufMetadata empty;
  empty.text("tokenizer.ggml.model", "gpt2");
  EXPECT_EQ(metadata_message(empty), "[tokenizer] t.gguf: tokenizer.ggml.tokens: expected a list of texts, got none");
  EXPECT_NE(metadata_message(tiny_metadata("new-kind"))
                .find("tokenizer.ggml.pre: expected a known way to cut text (default, gpt-2"),
            std::string::npos);
  EXPECT_NE(metadata_message(tiny_metadata("new-kind")).find("got \"new-kind\""), std::string::npos);
  const auto broken = [](auto change) {
    GgufMetadata metadata;
    metadata.text("tokenizer.ggml.model", "gpt2");
    metadata.texts("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "ab"});
    change(metadata);
    return metadata_message(metadata);
  };
  EXPECT_EQ(broken([](GgufMetadata& m) { m.texts("tokenizer.ggml.merges", std::vector<std::string>{"ab"}); }),
            "[tokenizer] t.gguf: tokenizer.ggml.merges[0]: expected two pieces like \"a b\", got \"ab\"");
  EXPECT_EQ(broken([](GgufMetadata& m) {
              m.i32s("tokenizer.ggml.token_type", std::vector<int32_t>{1, 9, 1});
            }),
            "[tokenizer] t.gguf: tokenizer.ggml.token_type[1]: expected a type from 1 to 6, got 9");
  EXPECT_EQ(broken([](GgufMetadata& m) { m.i32s("tokenizer.ggml.token_type", std::vector<int32_t>{1}); }),
            "[tokenizer] t.gguf: tokenizer.ggml.token_type: expected 3 numbers, one per token, got 1");
  EXPECT_EQ(broken([](GgufMetadata& m) { m.u32("tokenizer.ggml.bos_token_id", 3); }),
            "[tokenizer] t.gguf: tokenizer.ggml.bos_token_id: expected a number from 0 to 2, got 3");
  EXPECT_EQ(broken([](GgufMetadata& m) { m.text("tokenizer.ggml.bos_token_id", "a"); }),
            "[tokenizer] t.gguf: tokenizer.ggml.bos_token_id: expected a whole number, got text");
  EXPECT_NE(broken([](GgufMetadata& m) {
              m.boolean("tokenizer.ggml.add_bos_token", true);
            }).find("add_bos_token: expected the id of that token in the file, got none"),
            std::string::npos);
  GgufMetadata twins;
  twins.text("tokenizer.ggml.model", "gpt2");
  twins.texts("tokenizer.ggml.tokens", std::vector<std::string>{"a", "a"});
  EXPECT_EQ(metadata_message(twins),
            "[tokenizer] t.gguf: tokenizer.ggml.tokens[1]: expected pieces used once, got \"a\" with ids 0 and 1");
  const std::string file = metadata_file(scored_metadata());
  for (size_t length = 0; length + 32 < file.size(); ++length) {
    EXPECT_FALSE(read_gguf_vocabulary(std::as_bytes(std::span(file).first(length)), "t.gguf").ok()) << length;
  }
}

// Texts and ids of other people's vocabularies, where somebody has them: files NAME.gguf, NAME.gguf.inp, NAME.gguf.out.
TEST(GgufVocabulary, AgreesWithPublishedIds) {
  const char* folder = std::getenv("HALFTONE_TOKENIZER_DATA");
  if (folder == nullptr) GTEST_SKIP() << "HALFTONE_TOKENIZER_DATA names no folder of NAME.gguf, .inp and .out";
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".gguf") continue;
    const auto map = FileMap::open(entry.path());
    ASSERT_TRUE(map.ok()) << map.status().message();
    const auto tokenizer = read_gguf_vocabulary((*map)->bytes(), entry.path().filename().string());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    const auto inputs = read_text_file(entry.path().string() + ".inp"),
               outputs = read_text_file(entry.path().string() + ".out");
    ASSERT_TRUE(inputs.ok() && outputs.ok());
    std::istringstream lines(*outputs);
    constexpr std::string_view kBetween = "\n__ggml_vocab_test__\n";
    ++files;
    for (size_t at = 0; at <= inputs->size();) {
      const size_t end = std::min(inputs->find(kBetween, at), inputs->size());
      const std::string text = inputs->substr(at, end - at);
      at = end == inputs->size() ? end + 1 : end + kBetween.size();
      std::string line;
      if (!std::getline(lines, line)) break;
      std::istringstream words(line);
      Ids expected;
      for (TokenId id = 0; words >> id;) expected.push_back(id);
      EXPECT_EQ(ids_of(tokenizer, text, false), expected) << entry.path() << ": \"" << text << "\"";
    }
  }
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace halftone
