// SPDX-License-Identifier: Apache-2.0
#include "quantize/calibration/calibration.h"

#include <gtest/gtest.h>

#include "base/temp_folder.h"
#include "formats/test_files.h"

namespace halftone {
namespace {

// Every byte is a token, so that offsets in a text can be counted.
class ByteTokenizer : public Tokenizer {
 public:
  Result<std::vector<TokenId>> encode(std::string_view text, bool) const override {
    std::vector<TokenId> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  std::string bytes_of(TokenId id) const override { return std::string(1, static_cast<char>(id)); }
  std::string decode(const std::vector<TokenId>& ids) const override {
    std::string text;
    for (const TokenId id : ids) text += bytes_of(id);
    return text;
  }
  std::string_view leading() const override { return {}; }
  int64_t size() const override { return 256; }
  std::string_view kind() const override { return "bytes"; }
};

const ByteTokenizer kBytes;
const CalibrationReader kReader = {&kBytes, 300, 1000, 299};  // bos is 299

std::string refusal(std::string_view bytes, const CalibrationOptions& options, std::string_view name = "c.txt",
                    const CalibrationReader& reader = kReader) {
  const auto read = read_calibration(bytes, std::string(name), reader, options);
  return read.ok() ? "accepted" : std::string(read.status().message());
}

std::string text_of(const Sequences& sequences, int64_t i, int64_t skip) {
  const auto begin = sequences.tokens.begin();
  return kBytes.decode({begin + sequences.begin(i) + skip, begin + sequences.end(i)});
}

std::string numbered_lines(int64_t count) {
  std::string text;
  for (int64_t i = 0; i < count; ++i) text += fmt::format("line {:06}\n", i);  // 12 bytes
  return text;
}

TEST(Calibration, CutsATextIntoWindowsThatBeginWithBos) {
  const auto read = read_calibration("abcdefghijklmnop", "c.txt", kReader, {18, 7});
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->kind, "text");
  EXPECT_EQ(read->file_tokens, 19);
  const Sequences& sequences = read->sequences;
  EXPECT_EQ(sequences.begins, (std::vector<int64_t>{0, 7, 14}));
  EXPECT_EQ(sequences.tokens[7], 299);
  EXPECT_EQ(text_of(sequences, 0, 1), "abcdef");
  EXPECT_EQ(text_of(sequences, 2, 1), "mnop");
}

TEST(Calibration, DrawsEvenly) {
  const auto read = read_calibration(numbered_lines(1000), "c.txt", kReader, {1300, 13});
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_FALSE(read->excerpts);
  EXPECT_EQ(read->samples, 1000);
  ASSERT_EQ(read->sequences.count(), 100);
  for (int64_t i = 0; i < 100; ++i) {
    const int64_t line = std::stoll(text_of(read->sequences, i, 1).substr(5));
    EXPECT_NEAR(static_cast<double>(line), static_cast<double>(i) * 10 + 5, 6) << i;
  }
  const auto all = read_calibration(numbered_lines(1000), "c.txt", kReader, {13000, 13});
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->sequences.count(), 1000);
}

TEST(Calibration, StretchesStandForALargeText) {
  const std::string text = numbered_lines(200000);  // 2.4 MB
  const auto read = read_calibration(text, "c.txt", kReader, {2600, 260});
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(read->excerpts);
  ASSERT_EQ(read->sequences.count(), 10);
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(read->sequences.length(i), 260);
    const std::string window = text_of(read->sequences, i, 1);
    EXPECT_EQ(window.substr(0, 5), "line ");  // whole lines
    EXPECT_NEAR(static_cast<double>(std::stoll(window.substr(5))), 20000.0 * static_cast<double>(i), 2);
  }
  // Without lines and with characters of two bytes: none is cut at the front of a window.
  std::string umlauts;
  for (int i = 0; i < 1 << 20; ++i) umlauts += i % 3 == 0 ? "x" : "\u00e4";
  const auto other = read_calibration(umlauts, "c.txt", kReader, {2600, 260});
  ASSERT_TRUE(other.ok()) << other.status().message();
  EXPECT_TRUE(other->excerpts);
  for (int64_t i = 0; i < other->sequences.count(); ++i) {
    EXPECT_NE(static_cast<unsigned char>(text_of(other->sequences, i, 1)[0]) & 0xC0, 0x80);
  }
}

TEST(Calibration, ReadsLinesOfTextAndOfTokens) {
  const std::string lines =
      "{\"text\": \"abc\"}\n\n{\"id\": 7, \"tokens\": [9, 8, 7, 6, 5]}\r\n{\"text\": \"abc\"}\n{\"text\": "
      "\"caf\\u00e9\"}";
  const auto read = read_calibration(lines, "c.jsonl", kReader, {18, 4});
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->kind, "jsonl");
  EXPECT_EQ(read->samples, 4);
  EXPECT_EQ(read->duplicates, 1);
  EXPECT_EQ(read->file_tokens, 4 + 4 + 4 + 4 + 3);  // one token of the second line is left over
  EXPECT_EQ(read->sequences.begins, (std::vector<int64_t>{0, 4, 8, 12, 16}));
  EXPECT_EQ(std::vector<int32_t>(read->sequences.tokens.begin() + 4, read->sequences.tokens.begin() + 8),
            (std::vector<int32_t>{9, 8, 7, 6}));  // as they are: no bos
}

TEST(Calibration, IsTheSameFromAFile) {
  const TempFolder folder;
  write_text(folder / "c.txt", numbered_lines(50));
  const auto loaded = load_calibration(folder / "c.txt", kReader, {100, 20});
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  const auto read = read_calibration(numbered_lines(50), folder / "c.txt", kReader, {100, 20});
  EXPECT_EQ(loaded->sequences.tokens, read->sequences.tokens);
  EXPECT_EQ(loaded->to_json().dump(), read->to_json().dump());
  EXPECT_FALSE(load_calibration(folder / "none.txt", kReader).ok());
}

TEST(Calibration, RefusesWhatIsNotEnough) {
  EXPECT_EQ(refusal("", {}), "[calibration] c.txt: expected text, got an empty file");
  EXPECT_EQ(refusal("\n\n", {}, "c.jsonl"), "[calibration] c.jsonl: expected text, got an empty file");
  EXPECT_EQ(refusal("abcdefghij", {100, 8}),
            "[calibration] c.txt: expected at least 100 tokens, got 12; give more text, or ask for fewer tokens");
  EXPECT_EQ(refusal("abc", {0, 8}), "[calibration] expected a number of tokens above 0, got 0");
  EXPECT_EQ(refusal("abc", {10, 2000}),
            "[calibration] expected windows of 2 to 1000 tokens, the model's context, got 2000");
}

TEST(Calibration, RefusesOneSampleRepeated) {
  const std::string line = "{\"text\": \"the same again\"}\n";
  EXPECT_EQ(refusal(line + line + line, {20, 8}, "c.jsonl"),
            "[calibration] c.jsonl: expected different samples, got one repeated 3 times");
  EXPECT_EQ(refusal("0123456"
                    "0123456",
                    {16, 8}),
            "[calibration] c.txt: expected different samples, got one repeated 2 times");
  EXPECT_EQ(refusal(line, {5, 8}, "c.jsonl"), "accepted");
}

TEST(Calibration, RefusesOtherKindsOfFiles) {
  EXPECT_EQ(refusal("\x89PNG\r\n\x1a\n", {}),
            "[calibration] c.txt: expected text or JSON lines for a language model, got a PNG picture");
  EXPECT_EQ(refusal(std::string_view("text\0text", 9), {}),
            "[calibration] c.txt: expected text or JSON lines, got a zero byte at 4; this is a binary file");
  EXPECT_EQ(refusal("one\ntwo\nthr\xff"
                    "ee",
                    {}),
            "[calibration] c.txt:3: expected UTF-8, got byte 0xff; convert the file");
  EXPECT_EQ(refusal("{\"image\": \"a.png\", \"label\": 3}", {}, "c.jsonl"),
            "[calibration] c.jsonl:1: expected one of the keys \"text\" and \"tokens\", got image, label");
}

TEST(Calibration, RefusesLinesThatAreNoSamples) {
  const auto line = [](std::string_view second) {
    return refusal(fmt::format("{{\"text\": \"first\"}}\n{}\n", second), {4, 8}, "c.jsonl");
  };
  EXPECT_NE(line("{\"text\": ").find("c.jsonl:2"), std::string::npos);
  EXPECT_NE(line("{\"text\": \"a\", \"text\": \"b\"}").find("c.jsonl:2"), std::string::npos);
  EXPECT_EQ(line("[1, 2]"), "[calibration] c.jsonl:2: expected an object like {\"text\": \"...\"}, got array");
  EXPECT_EQ(line("{\"text\": \"\"}"), "[calibration] c.jsonl:2: text: expected text, got none");
  EXPECT_EQ(line("{\"text\": 4}"), "[calibration] c.jsonl:2: text: expected text, got number");
  EXPECT_EQ(line("{\"text\": \"a\", \"tokens\": [1]}"),
            "[calibration] c.jsonl:2: expected one of the keys \"text\" and \"tokens\", got both");
  EXPECT_EQ(line("{\"tokens\": []}"),
            "[calibration] c.jsonl:2: tokens: expected a list of token ids, got an empty one");
  EXPECT_EQ(line("{\"tokens\": 3}"), "[calibration] c.jsonl:2: tokens: expected a list of token ids, got number");
  EXPECT_EQ(line("{\"tokens\": [1, 2.5]}"), "[calibration] c.jsonl:2: tokens: expected whole numbers from 0, got 2.5");
  EXPECT_EQ(line("{\"tokens\": [-1]}"), "[calibration] c.jsonl:2: tokens: expected whole numbers from 0, got -1");
  EXPECT_EQ(line("{\"tokens\": [1, 9876543210]}"),
            "[calibration] c.jsonl:2: tokens: expected whole numbers from 0, got 9876543210");
}

TEST(Calibration, RefusesAnotherModelsTokens) {
  EXPECT_EQ(refusal("{\"tokens\": [1, 2]}\n{\"tokens\": [5, 300]}", {2, 8}, "c.jsonl"),
            "[calibration] c.jsonl:2: expected token ids in 0..299, got 300; this is another model's tokenizer");
  EXPECT_EQ(refusal("caf\u00e9", {2, 8}, "c.txt", {&kBytes, 128, 1000, -1}),
            "[calibration] c.txt: expected token ids in 0..127, got 195; this is another model's tokenizer");
  EXPECT_NE(refusal("text", {2, 8}, "c.txt", {nullptr, 128, 1000, -1}).find("expected a model with a tokenizer"),
            std::string::npos);
}

}  // namespace
}  // namespace halftone
