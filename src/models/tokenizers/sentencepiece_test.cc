// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "models/tokenizer.h"

namespace halftone {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<TokenId>;

// Just enough protobuf to write a model.
std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
std::string number(int field, uint64_t value) { return varint(static_cast<uint64_t>(field) << 3) + varint(value); }
std::string message(int field, const std::string& bytes) {
  return varint(static_cast<uint64_t>(field) << 3 | 2) + varint(bytes.size()) + bytes;
}
std::string score_field(float score) {
  uint32_t bits;
  std::memcpy(&bits, &score, sizeof(bits));
  std::string out = varint(2 << 3 | 5);
  for (int i = 0; i < 4; ++i) out += static_cast<char>(bits >> (8 * i));
  return out;
}
std::string piece(const std::string& text, float score, uint64_t type) {
  return message(1, message(1, text) + score_field(score) + number(3, type));
}

struct Settings {
  uint64_t type = 2;
  bool byte_fallback = true, dummy_prefix = true, collapse = false;
  std::string character_map = {};
};

std::string specs(const Settings& settings) {
  return message(2, number(3, settings.type) + number(35, settings.byte_fallback) + number(41, 1) + number(42, 2)) +
         message(3, message(1, "identity") + message(2, settings.character_map) + number(3, settings.dummy_prefix) +
                        number(4, settings.collapse) + number(5, 1));
}

std::string model_of(const Json& pieces, const Settings& settings = {}) {
  std::string out;
  for (const Json& item : pieces) out += piece(item[0], item[1].get<float>(), item[2].get<uint64_t>());
  return out + specs(settings);
}

Json golden() {
  const auto text = read_text_file(std::string(HALFTONE_SOURCE_DIR) + "/tests/golden/sentencepiece.json");
  return text.ok() ? Json::parse(*text) : Json::array();
}

Result<std::shared_ptr<const Tokenizer>> read(const std::string& bytes, const SentencePieceOptions& options = {}) {
  return read_sentencepiece(std::as_bytes(std::span(bytes)), "t.model", options);
}

Ids piece_ids(const Json& pieces, const Settings& settings, std::string_view text,
              const SentencePieceOptions& options = {}) {
  const auto tokenizer = read(model_of(pieces, settings), options);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  const auto ids = (*tokenizer)->encode(text);
  EXPECT_TRUE(ids.ok()) << ids.status().message();
  return *ids;
}

// <unk> <s> </s>, then a 3, b 4, ▁ 5, ab 6, ▁a 7
Json small() {
  return Json::parse(
      R"([["<unk>", 0, 2], ["<s>", 0, 3], ["</s>", 0, 3], ["a", -3, 1], ["b", -4, 1], ["▁", -5, 1], ["ab", -1, 1], ["▁a", -2, 1]])");
}

TEST(SentencePiece, AgreesWithTheReference) {
  const Json models = golden();
  ASSERT_EQ(models.size(), 2u);  // the second has a piece that joins words
  for (const Json& model : models) {
    const auto tokenizer = read(model_of(model["pieces"]));
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    EXPECT_EQ((*tokenizer)->kind(), "sentencepiece-bpe");
    EXPECT_EQ((*tokenizer)->size(), static_cast<int64_t>(model["pieces"].size()));
    ASSERT_GT(model["cases"].size(), 15u);
    for (const Json& item : model["cases"]) {
      const std::string text = item["text"];
      const auto ids = (*tokenizer)->encode(text);
      ASSERT_TRUE(ids.ok()) << ids.status().message();
      EXPECT_EQ(*ids, item["ids"].get<Ids>()) << text;
      if (text.find("▁") == std::string::npos) {
        EXPECT_EQ((*tokenizer)->decode(*ids), text);
      }
    }
  }
}

TEST(SentencePiece, SpacesAtTheFront) {
  EXPECT_EQ(piece_ids(small(), {}, "ab"), (Ids{1, 5, 6}));
  Settings bare;
  bare.dummy_prefix = false;
  EXPECT_EQ(piece_ids(small(), bare, "ab"), (Ids{1, 6}));
  Settings collapse;
  collapse.collapse = true;
  EXPECT_EQ(piece_ids(small(), collapse, "  a   ab  "), (Ids{1, 7, 5, 6}));
  EXPECT_EQ(piece_ids(small(), collapse, "    "), (Ids{1}));
  EXPECT_EQ(piece_ids(small(), collapse, ""), (Ids{1}));
}

TEST(SentencePiece, UnknownCharactersWithoutBytesAreOneUnknown) {
  Settings no_bytes;
  no_bytes.byte_fallback = false;
  EXPECT_EQ(piece_ids(small(), no_bytes, "aXYZb"), (Ids{1, 7, 0, 4}));
}

TEST(SentencePiece, ControlPiecesAreTokensOnlyWhereSpecialOnesAreWanted) {
  Json pieces = small();
  pieces.push_back({"[go]", 0, 4});
  const auto tokenizer = read(model_of(pieces, {.byte_fallback = false}));
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(*(*tokenizer)->encode("a</s>b"), (Ids{1, 7, 2, 5, 4}));
  EXPECT_EQ(*(*tokenizer)->encode("a</s>", false), (Ids{7, 0}));
  EXPECT_EQ(*(*tokenizer)->encode("a[go]a", false), (Ids{7, 8, 3}));  // user-defined: always
  EXPECT_EQ((*tokenizer)->decode({1, 7, 8, 3, 2}), "a[go]a");
}

TEST(SentencePiece, BosAndEosFollowTheOptions) {
  EXPECT_EQ(piece_ids(small(), {}, "a", {.add_bos = false}), (Ids{7}));
  EXPECT_EQ(piece_ids(small(), {}, "a", {.add_bos = true, .add_eos = true}), (Ids{1, 7, 2}));
  EXPECT_EQ(piece_ids(small(), {}, "a", {.add_bos = true, .add_eos = false, .bos = 2}), (Ids{2, 7}));
}

TEST(SentencePiece, FaultsNameThePiece) {
  struct Fault {
    std::string bytes, message;
  };
  const std::string good = model_of(small());
  const auto with = [&](const std::string& extra) { return good + extra; };
  const std::vector<Fault> faults = {
      {"", "t.model: expected pieces, got none"},
      {model_of(small(), {.type = 3}), "expected a SentencePiece model of type Unigram (1) or BPE (2), got type 3"},
      {model_of(small(), {.character_map = "map"}),
       "normalization identity: expected a character map (a length, a trie and texts), got 3 bytes"},
      {with(piece("a", 0, 1)), "piece 8 \"a\": expected pieces used once"},
      {with(piece("", 0, 1)), "piece 8 \"\": expected text, got none"},
      {with(piece("az", 0, 1)), "piece 8 \"az\": expected its characters to be pieces too, got none for \"z\""},
      {with(piece("<0x0G>", 0, 6)), "piece 8 \"<0x0G>\": expected a byte piece like <0x0A>"},
      {with(piece("x", 0, 2)), "piece 8 \"x\": expected one unknown piece, got a second"},
      {with(piece("x", 0, 5)), "piece 8 \"x\": expected no unused pieces"},
      {with(piece("x", 0, 9)), "expected a piece type from 1 to 6, got 9"},
      {with(piece("\xFF", 0, 1)), "expected a piece in UTF-8"},
      {with(piece("x", std::numeric_limits<float>::quiet_NaN(), 1)), "piece \"x\": expected a finite score"},
      {with(number(1, 5)), "field 1: expected wire type 2, got 0"},
  };
  for (const Fault& fault : faults) {
    const auto tokenizer = read(fault.bytes);
    ASSERT_FALSE(tokenizer.ok()) << fault.message;
    EXPECT_NE(tokenizer.status().message().find(fault.message), std::string::npos) << tokenizer.status().message();
    EXPECT_NE(tokenizer.status().message().find("t.model"), std::string::npos) << tokenizer.status().message();
  }
  EXPECT_FALSE(read(good, {.add_bos = true, .add_eos = false, .bos = 99}).ok());
}

TEST(SentencePiece, EveryTruncationIsAnErrorOrASmallerModel) {
  const std::string bytes = model_of(small());
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto tokenizer = read(bytes.substr(0, length));
    if (tokenizer.ok()) {
      EXPECT_LE((*tokenizer)->size(), 8);
    } else {
      EXPECT_FALSE(tokenizer.status().message().empty());
    }
  }
}

}  // namespace
}  // namespace halftone
