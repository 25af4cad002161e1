// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors/safetensors.h"

#include <gtest/gtest.h>

#include "formats/test_files.h"

namespace halftone {
namespace {

Result<SafetensorsHeader> parse(const std::string& file) {
  return parse_safetensors(bytes_of_text(file), "m.safetensors");
}

std::string message_of(const std::string& file) {
  const auto header = parse(file);
  return header.ok() ? "accepted" : std::string(header.status().message());
}

constexpr const char* kGood = R"({"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                              R"("b":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]}})";

TEST(Safetensors, ReadsEntriesInPayloadOrder) {
  const auto header =
      parse(raw_safetensors(R"({"b":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]},"__metadata__":{"format":"pt"},)"
                            R"("a":{"data_offsets":[0,8],"dtype":"F32","shape":[2,1]}})"
                            "   ",
                            std::string(14, 'x')));
  ASSERT_TRUE(header.ok()) << header.status().message();
  ASSERT_EQ(header->entries.size(), 2u);
  EXPECT_EQ(header->entries[0].name, "a");
  EXPECT_EQ(header->entries[0].type, DType::f32);
  EXPECT_EQ(header->entries[0].shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(header->entries[1].end - header->entries[1].begin, 6u);
  EXPECT_EQ(header->entries[1].begin, header->entries[0].end);
  EXPECT_EQ(header->metadata.at("format"), "pt");
}

TEST(Safetensors, AcceptsScalarsAndEmptyTensors) {
  const auto header = parse(raw_safetensors(R"({"empty":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},)"
                                            R"("scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                                            "1234"));
  ASSERT_TRUE(header.ok()) << header.status().message();
  EXPECT_EQ(header->entries.size(), 2u);
  EXPECT_TRUE(parse(raw_safetensors("{}", "")).ok());
}

struct BadFile {
  const char* what;
  std::string file;
  std::vector<std::string> says;
};

std::string with_entry(const std::string& entry, size_t payload = 8) {
  return raw_safetensors(R"({"w":)" + entry + "}", std::string(payload, 'x'));
}

const std::string kGoodFile = raw_safetensors(kGood, std::string(14, 'x'));

// The good file with one byte of its length field changed.
std::string with_length_byte(size_t at, char value) {
  std::string file = kGoodFile;
  file[at] = value;
  return file;
}

const BadFile kBadFiles[] = {
    {"nothing", "", {"at least 8 bytes", "got 0"}},
    {"five bytes", "12345", {"at least 8 bytes", "got 5"}},
    {"length flipped to an absurd one",
     with_length_byte(6, 1),
     {"at most 100000000", "281474976710", "no safetensors"}},
    {"header beyond the file",
     with_length_byte(0, static_cast<char>(255)),
     {"expected a header of 255 bytes", "truncated"}},
    {"truncated payload",
     kGoodFile.substr(0, kGoodFile.size() - 3),
     {"'b'", "inside the file's 11 payload bytes", "[8, 14]", "truncated"}},
    {"bytes after the end", kGoodFile + "zz", {"2 unused bytes"}},
    {"no JSON", raw_safetensors("{\"a\":{\"dtype\"", ""), {"no JSON at header byte"}},
    {"an array", raw_safetensors("[]", ""), {"an array in place of the header object"}},
    {"text after the object", raw_safetensors("{} {}", ""), {"no JSON at header byte"}},
    {"unknown type",
     with_entry(R"({"dtype":"F31","shape":[2],"data_offsets":[0,8]})"),
     {"'w'", "'F31'", "F32, F16 or BF16"}},
    {"wrong size",
     with_entry(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"),
     {"'w'", "12 bytes for F32 [3]", "8 bytes"}},
    {"negative dimension",
     with_entry(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"),
     {"negative number -2", "shape of 'w'"}},
    {"fractional dimension",
     with_entry(R"({"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})"),
     {"number 2.0", "shape of 'w'"}},
    {"dimension beyond 63 bits",
     with_entry(R"({"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]})"),
     {"9223372036854775808"}},
    {"product overflows",
     with_entry(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})"),
     {"fits 63 bits", "[4294967296, 4294967296]"}},
    {"product overflows to the right size",
     with_entry(R"({"dtype":"U8","shape":[9223372036854775807,2,5],"data_offsets":[0,8]})"),
     {"fits 63 bits"}},
    {"nine dimensions",
     with_entry(R"({"dtype":"U8","shape":[1,1,1,1,1,1,1,1,8],"data_offsets":[0,8]})"),
     {"more than 8 dimensions"}},
    {"offsets reversed",
     with_entry(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"),
     {"ascending order", "[8, 0]"}},
    {"offsets negative",
     with_entry(R"({"dtype":"F32","shape":[2],"data_offsets":[-1,7]})"),
     {"negative number -1", "data_offsets of 'w'"}},
    {"one offset", with_entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0]})"), {"data_offsets of 1 numbers"}},
    {"three offsets",
     with_entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8,8]})"),
     {"more than 2 data_offsets"}},
    {"offset wraps",
     with_entry(R"({"dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,18446744073709551615]})"),
     {"inside the file's 8 payload bytes"}},
    {"no dtype", with_entry(R"({"shape":[2],"data_offsets":[0,8]})"), {"tensor 'w' without dtype"}},
    {"no shape", with_entry(R"({"dtype":"F32","data_offsets":[0,8]})"), {"tensor 'w' without shape"}},
    {"no offsets", with_entry(R"({"dtype":"F32","shape":[2]})"), {"tensor 'w' without data_offsets"}},
    {"unknown key", with_entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1})"), {"unknown key 'x'"}},
    {"dtype twice", with_entry(R"({"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]})"), {"'dtype' twice"}},
    {"tensor is a text", raw_safetensors(R"({"w":"F32"})", ""), {"a string in place of tensor 'w'"}},
    {"tensor is null", raw_safetensors(R"({"w":null})", ""), {"null in place of tensor 'w'"}},
    {"shape is an object",
     with_entry(R"({"dtype":"F32","shape":{},"data_offsets":[0,8]})"),
     {"an object inside tensor 'w'"}},
    {"shape is nested",
     with_entry(R"({"dtype":"F32","shape":[[2]],"data_offsets":[0,8]})"),
     {"an array in the shape of 'w'"}},
    {"metadata is no text", raw_safetensors(R"({"__metadata__":{"a":1}})", ""), {"a number in __metadata__"}},
    {"name twice",
     raw_safetensors(
         R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"w":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
         "12345678"),
     {"'w' twice"}},
    {"overlap",
     raw_safetensors(
         R"({"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
         "12345678"),
     {"do not overlap", "'a' and 'b'"}},
    {"the same bytes twice",
     raw_safetensors(
         R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
         "12345678"),
     {"do not overlap"}},
    {"hole",
     raw_safetensors(
         R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
         "12345678"),
     {"without holes", "2 unused bytes before 'b'"}},
    {"hole at the start",
     raw_safetensors(R"({"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})", "12345678"),
     {"4 unused bytes before 'b'"}},
};

TEST(Safetensors, EachBadFileIsRefusedWithItsReason) {
  for (const BadFile& bad : kBadFiles) {
    const std::string message = message_of(bad.file);
    EXPECT_TRUE(contains(message, "[safetensors] m.safetensors: ")) << bad.what << ": " << message;
    for (const std::string& part : bad.says) EXPECT_TRUE(contains(message, part)) << bad.what << ": " << message;
  }
}

TEST(Safetensors, NoFlippedHeaderBitCrashesOrGoesBeyondTheFile) {
  const std::string good = raw_safetensors(kGood, std::string(14, 'x'));
  int refused = 0;
  for (size_t bit = 0; bit < 8 * (good.size() - 14); ++bit) {
    std::string file = good;
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
    const auto header = parse(file);
    refused += header.ok() ? 0 : 1;
    if (!header.ok()) continue;
    for (const SafetensorsEntry& entry : header->entries) EXPECT_LE(entry.end, file.size());
  }
  EXPECT_GT(refused, 700);  // the rest renames a tensor or changes a type into one of the same size
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string good = raw_safetensors(kGood, std::string(14, 'x'));
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(parse(good.substr(0, size)).ok()) << size;
}

TEST(SafetensorsWriter, WhatIsWrittenIsReadBack) {
  const TempFolder folder;
  SafetensorsPlan plan;
  plan.tensors = {
      {"x \"quoted\" \xc3\xa9", DType::f16, {1, 3}, 6}, {"none", DType::f32, {0}, 0}, {"y", DType::u8, {5}, 5}};
  plan.metadata = {{"format", "halftone-1"}};
  plan.alignment = 64;
  auto writer = SafetensorsWriter::create(folder / "w", plan);
  ASSERT_TRUE(writer.ok()) << writer.status().message();
  ASSERT_TRUE(writer->write(bytes_of_text("abcd")).ok());
  ASSERT_TRUE(writer->write(bytes_of_text("ef")).ok());
  ASSERT_TRUE(writer->write(bytes_of_text("12345")).ok());
  const std::string head = writer->head();
  ASSERT_TRUE(writer->finish().ok());
  const std::string file = read_text(folder / "w");
  EXPECT_EQ(file, head + "abcdef12345");
  EXPECT_EQ(head.size() % 64, 0u);
  const auto header = parse(file);
  ASSERT_TRUE(header.ok()) << header.status().message();
  ASSERT_EQ(header->entries.size(), 3u);
  EXPECT_EQ(header->entries[0].name, "x \"quoted\" \xc3\xa9");
  EXPECT_EQ(header->entries[2].begin, head.size() + 6);
  EXPECT_EQ(header->metadata, plan.metadata);
}

TEST(SafetensorsWriter, WrongUseIsAnError) {
  const TempFolder folder;
  const auto create = [&](std::vector<SafetensorsPlan::Tensor> tensors) {
    SafetensorsPlan plan;
    plan.tensors = std::move(tensors);
    return SafetensorsWriter::create(folder / "w", plan);
  };
  EXPECT_TRUE(contains(create({{"a", DType::f32, {2}, 9}}).status().message(), "payload of F32 [2], got 9 bytes"));
  EXPECT_TRUE(contains(create({{"a", DType::u8, {2}, 2}, {"a", DType::u8, {2}, 2}}).status().message(), "'a' twice"));
  auto writer = create({{"a", DType::u8, {2}, 2}});
  ASSERT_TRUE(writer.ok());
  EXPECT_TRUE(contains(writer->finish().message(), "'a': expected 2 bytes, got 0"));
  EXPECT_TRUE(contains(writer->write(bytes_of_text("123")).message(), "expected 2 more bytes, got 3"));
  EXPECT_TRUE(writer->write(bytes_of_text("12")).ok());
  EXPECT_TRUE(contains(writer->write(bytes_of_text("3")).message(), "no more bytes"));
}

}  // namespace
}  // namespace halftone
