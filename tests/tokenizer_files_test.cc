// SPDX-License-Identifier: Apache-2.0
// One vocabulary in several files gives the same ids, on thousands of random texts: tokenizer.json, a rank file,
// SentencePiece's model, and what our exporter writes into GGUF. And what ids decode to gives them again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/rng.h"
#include "base/temp_folder.h"
#include "base/utf8.h"
#include "export/export.h"
#include "formats/import/test_cache.h"
#include "formats/test_files.h"
#include "models/synth.h"
#include "models/tokenizers/split_patterns.h"
#include "models/tokenizers/test_vocabularies.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Ids = std::vector<TokenId>;
using Shared = std::shared_ptr<const Tokenizer>;

constexpr int kTexts = 4000;

Json tinyworld_json() {
  const auto text = read_text_file(std::string(HALFTONE_SOURCE_DIR) + "/models/tinyworld/tokenizer.json");
  return text.ok() ? Json::parse(*text) : Json();
}

// Texts of everything that cutting and merging treat apart, and of what nobody thought of.
class Texts {
 public:
  explicit Texts(uint64_t seed, std::vector<std::string> parts) : rng_(seed), parts_(std::move(parts)) {}

  std::string next() {
    std::string text;
    for (uint64_t count = rng_.below(14); count > 0; --count) add(text);
    return text;
  }

 private:
  struct Span {
    int32_t from, count;
  };
  void add(std::string& text) {
    // Latin and its marks, Greek, Cyrillic, Hebrew, Arabic, Devanagari, Jamo, Hangul, kana, Han, symbols, spaces,
    // joiners, emoji, letters beyond the first plane, private and never assigned.
    static constexpr Span kSpans[] = {{0x20, 95},     {0x20, 95},     {0xA0, 0x160},  {0x300, 0x70},  {0x370, 0x90},
                                      {0x400, 0x100}, {0x590, 0x60},  {0x600, 0x100}, {0x900, 0x80},  {0x1100, 0x100},
                                      {0xAC00, 2000}, {0x3040, 0xC0}, {0x4E00, 500},  {0x2000, 0x70}, {0x2100, 0x90},
                                      {0x1F600, 80},  {0xFE00, 16},   {0x1D400, 200}, {0xE000, 50},   {0x378, 2},
                                      {1, 31},        {0x80, 32},     {0x1F1E6, 26},  {0xFB00, 0x50}};
    switch (rng_.below(5)) {
      case 0: {
        const Span& span = kSpans[rng_.below(std::size(kSpans))];
        for (uint64_t count = 1 + rng_.below(6); count > 0; --count)
          append_utf8(text, span.from + static_cast<int32_t>(rng_.below(static_cast<uint64_t>(span.count))));
        break;
      }
      case 1: {
        static constexpr std::string_view kEdges[] = {
            " ",   "  ",   "\n",  "\r\n", "\t ",     "   \n ", "'s", "'LL",    "'re",    "\u2019s", "12", "1234567",
            "...", "!?\n", "://", "é",    "e\u0301", "日本",   "😀",  "\u200d", "\u3000", "\u00a0",  "<",  "|>"};
        text += kEdges[rng_.below(std::size(kEdges))];
        break;
      }
      default:
        text += parts_[rng_.below(parts_.size())];
    }
  }
  Rng rng_;
  std::vector<std::string> parts_;
};

// How often texts came back as they were, so that a test can say that they should.
struct Seen {
  int64_t tokens = 0;
  int same_text = 0;
};

class TokenizerFiles : public testing::Test {
 protected:
  static Shared opened(Result<Shared> tokenizer) {
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    return tokenizer.ok() ? *tokenizer : nullptr;
  }
  static Shared from_json(const Json& json) { return opened(read_tokenizer_json(json.dump(), "t.json")); }

  // Through a model with these files, our GGUF file of it, and back.
  Shared through_gguf(std::string_view name, std::string_view bytes, size_t vocabulary, TokenId bos) {
    const Json config = {{"model_type", "llama"},       {"hidden_size", 32},        {"intermediate_size", 32},
                         {"num_hidden_layers", 1},      {"num_attention_heads", 1}, {"num_key_value_heads", 1},
                         {"vocab_size", vocabulary},    {"rms_norm_eps", 1e-5},     {"max_position_embeddings", 64},
                         {"tie_word_embeddings", true}, {"bos_token_id", bos}};
    SynthOptions options;
    options.type = DType::f16;
    options.replace = true;
    EXPECT_TRUE(synth_from_config(config, temp_ / "m", options).ok());
    write_text(temp_ / "m" / name, bytes);
    const auto model = load_language_model(temp_ / "m");
    EXPECT_TRUE(model.ok()) << model.status().message();
    ThreadPool pool(1);
    ExportOptions to;
    to.replace = true;
    const auto written = model.ok() ? export_gguf(**model, temp_ / "m.gguf", to, pool) : model.status();
    EXPECT_TRUE(written.ok()) << written.status().message();
    if (!written.ok()) return nullptr;
    const auto back = load_language_model(temp_ / "m.gguf");
    EXPECT_TRUE(back.ok()) << back.status().message();
    return back.ok() ? (*back)->tokenizer : nullptr;
  }

  // The first of them is what the others have to agree with.
  static Seen compare(const std::vector<Shared>& files, Texts texts) {
    Seen seen;
    for (int i = 0; i < kTexts && !HasFailure(); ++i) {
      const std::string text = texts.next();
      SCOPED_TRACE(fmt::format("text {}: {}", i, Json(text).dump()));
      for (const bool special : {false, true}) {
        const auto expected = files[0]->encode(text, special);
        EXPECT_TRUE(expected.ok()) << expected.status().message();
        if (!expected.ok()) return seen;
        for (size_t f = 1; f < files.size(); ++f) {
          const auto ids = files[f]->encode(text, special);
          EXPECT_TRUE(ids.ok()) << ids.status().message();
          if (!ids.ok()) return seen;
          EXPECT_EQ(*ids, *expected) << "file " << f << ", special " << special;
          EXPECT_EQ(files[f]->decode(*ids), files[0]->decode(*ids)) << "file " << f;
        }
        seen.tokens += static_cast<int64_t>(expected->size());
        if (!special) {
          seen.same_text += files[0]->decode(*expected) == text;
          stable(*files[0], *expected);
        }
      }
    }
    return seen;
  }

  // After one round, text and ids do not change any more.
  static void stable(const Tokenizer& tokenizer, const Ids& ids) {
    const std::string text = tokenizer.decode(ids);
    const auto again = tokenizer.encode(text, false);
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(tokenizer.decode(*again), text);
    EXPECT_EQ(*tokenizer.encode(tokenizer.decode(*again), false), *again);
  }

  // Any ids, sensible or not.
  static void any_ids_are_stable(const Tokenizer& tokenizer, uint64_t seed) {
    Rng rng(seed);
    for (int i = 0; i < kTexts && !HasFailure(); ++i) {
      Ids ids(rng.below(12));
      for (TokenId& id : ids) id = static_cast<TokenId>(rng.below(static_cast<uint64_t>(tokenizer.size())));
      SCOPED_TRACE("ids " + Json(ids).dump());
      stable(tokenizer, ids);
    }
  }

  TestCache cache_;
  TempFolder temp_;
};

std::vector<std::string> with(std::vector<std::string> parts, std::initializer_list<const char*> more) {
  parts.insert(parts.end(), more.begin(), more.end());
  return parts;
}

// The parts of texts: tokens that are characters.
std::vector<std::string> words_of(const std::vector<std::string>& tokens) {
  std::vector<std::string> words;
  for (const std::string& token : tokens)
    if (!first_invalid_utf8(token)) words.push_back(token);
  return words;
}

TEST_F(TokenizerFiles, ByteLevelJsonAndItsGgufFile) {
  Json json = tinyworld_json();
  const auto parts = with(words_of(byte_tokens(json)), {"<|begin|>", "<|end|>"});
  const std::string cut = json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"];
  ASSERT_EQ(cut, kGpt2Split);
  for (const std::string_view split : {kGpt2Split, kLlama3Split, kQwen2Split}) {
    json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = split;
    json["model"]["ignore_merges"] = split == kLlama3Split;  // as llama.cpp's name for that cut has it
    const bool composes = split == kQwen2Split;
    json["normalizer"] = composes ? Json{{"type", "NFC"}} : Json();
    const Shared file = from_json(json), gguf = through_gguf("tokenizer.json", json.dump(), 1792, 1790);
    ASSERT_TRUE(file && gguf);
    const Seen seen = compare({file, gguf}, Texts(1, parts));
    EXPECT_GT(seen.tokens, 20 * kTexts);
    if (composes) {
      EXPECT_GT(seen.same_text, kTexts / 2);
    } else {
      EXPECT_EQ(seen.same_text, kTexts);
      any_ids_are_stable(*file, 2);
    }
  }
}

TEST_F(TokenizerFiles, RanksAndTheirJsonAndGguf) {
  const std::vector<std::string> tokens = byte_tokens(tinyworld_json());
  const std::string ranks = rank_file(tokens);
  const Json json = ranks_as_json(tokens, kLlama3Split);
  const Shared file = opened(read_tiktoken_ranks(bytes_of_text(ranks), "t.ranks"));
  const auto begin = static_cast<TokenId>(tokens.size());
  const Shared gguf = through_gguf("tokenizer.json", json.dump(), tokens.size() + 256, begin);
  ASSERT_TRUE(file && gguf);
  const auto parts = with(words_of(tokens), {"<|begin_of_text|>", "<|eot_id|>", "<|end_of_text|>"});
  const Seen seen = compare({file, from_json(json), gguf}, Texts(3, parts));
  EXPECT_GT(seen.tokens, 20 * kTexts);
  EXPECT_EQ(seen.same_text, kTexts);
  any_ids_are_stable(*file, 4);
}

TEST_F(TokenizerFiles, SentencePieceBpeAndItsJsonAndGguf) {
  const std::vector<std::string> tokens = byte_tokens(tinyworld_json());
  const auto pieces = scored_pieces(tokens, false);
  const std::string bytes = sentencepiece_file(pieces, 2, false);
  const Shared file = opened(read_sentencepiece(bytes_of_text(bytes), "t.model"));
  const Shared gguf = through_gguf("tokenizer.model", bytes, pieces.size(), 1);
  ASSERT_TRUE(file && gguf);
  const auto parts = with(words_of(tokens), {"<s>", "</s>", "<0x41>"});
  const Seen seen = compare({file, from_json(scored_as_json(pieces, false, false)), gguf}, Texts(5, parts));
  EXPECT_GT(seen.tokens, 20 * kTexts);
  EXPECT_EQ(seen.same_text, kTexts);
  any_ids_are_stable(*file, 6);
}

TEST_F(TokenizerFiles, SentencePieceUnigramAndItsJson) {
  const std::vector<std::string> tokens = byte_tokens(tinyworld_json());
  const auto pieces = scored_pieces(tokens, true);
  const auto parts = with(words_of(tokens), {"<s>", "</s>"});
  for (const bool collapse : {false, true}) {
    const std::string bytes = sentencepiece_file(pieces, 1, collapse);
    const Shared file = opened(read_sentencepiece(bytes_of_text(bytes), "t.model"));
    ASSERT_TRUE(file);
    const Seen seen = compare({file, from_json(scored_as_json(pieces, true, collapse))}, Texts(7, parts));
    EXPECT_GT(seen.tokens, 20 * kTexts);
    if (collapse) continue;  // it changes texts by design
    EXPECT_EQ(seen.same_text, kTexts);
    any_ids_are_stable(*file, 8);
  }
}

}  // namespace
}  // namespace halftone
