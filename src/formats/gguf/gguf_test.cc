// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf/gguf.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/file_map.h"
#include "formats/gguf/blocks.h"
#include "formats/gguf/names.h"
#include "formats/test_files.h"

namespace halftone {
namespace {

GgufPlan small_plan() {
  GgufPlan plan;
  plan.metadata.text("general.architecture", "llama");
  plan.metadata.u32("llama.block_count", 7);
  plan.metadata.f32("llama.rope.freq_base", 10000);
  plan.metadata.boolean("tokenizer.ggml.add_bos_token", true);
  const std::vector<std::string> tokens = {"a", "", "\xC4\xA0t"};
  plan.metadata.texts("tokenizer.ggml.tokens", tokens);
  const std::vector<float> scores = {0.5f, -1.0f, 2.0f};
  plan.metadata.f32s("tokenizer.ggml.scores", scores);
  const std::vector<int32_t> types = {1, 5, -3};
  plan.metadata.i32s("tokenizer.ggml.token_type", types);
  plan.tensors = {{"token_embd.weight", {3, 64}, &ggml_type(GgmlTypeId::q4_0)},
                  {"output_norm.weight", {5}, &ggml_type(GgmlTypeId::f32)},
                  {"output.weight", {2, 32}, &ggml_type(GgmlTypeId::q8_0)}};
  return plan;
}

std::string head_text(const GgufPlan& plan) {
  const auto head = gguf_head(plan, "test");
  EXPECT_TRUE(head.ok()) << head.status().message();
  return *head;
}

// A whole file with zeros as payloads.
std::string file_text(const GgufPlan& plan) {
  std::string file = head_text(plan);
  for (const GgufPlan::Tensor& tensor : plan.tensors)
    file.append(static_cast<size_t>((tensor.bytes() + 31) / 32 * 32), '\0');
  return file;
}

std::string gguf_message(const std::string& file) {
  const auto header = parse_gguf(bytes_of_text(file), "x.gguf");
  return header.ok() ? "accepted" : std::string(header.status().message());
}

void put_number(std::string& file, size_t at, uint64_t value, size_t bytes) {
  ASSERT_LE(at + bytes, file.size());
  for (size_t i = 0; i < bytes; ++i) file[at + i] = static_cast<char>(value >> (8 * i) & 0xff);
}

// Where the bytes behind a name begin.
size_t behind(const std::string& file, std::string_view name) {
  const size_t at = file.find(name);
  EXPECT_NE(at, std::string::npos) << name;
  return at + name.size();
}

TEST(Gguf, WhatIsWrittenIsReadBack) {
  const TempFolder folder;
  const GgufPlan plan = small_plan();
  auto writer = GgufWriter::create(folder / "a.gguf", plan);
  ASSERT_TRUE(writer.ok()) << writer.status().message();
  std::string payload;
  for (const GgufPlan::Tensor& tensor : plan.tensors)
    for (int64_t i = 0; i < tensor.bytes(); ++i) payload.push_back(static_cast<char>(i * 7 + tensor.bytes()));
  ASSERT_TRUE(writer->write(bytes_of_text(payload).first(11)).ok());
  ASSERT_TRUE(writer->write(bytes_of_text(payload).subspan(11)).ok());
  ASSERT_TRUE(writer->finish().ok());

  const auto map = FileMap::open(folder / "a.gguf");
  ASSERT_TRUE(map.ok());
  const auto header = parse_gguf((*map)->bytes(), "a.gguf");
  ASSERT_TRUE(header.ok()) << header.status().message();
  EXPECT_EQ(header->version, 3u);
  EXPECT_EQ(header->text("general.architecture"), "llama");
  EXPECT_EQ(std::get<uint64_t>(header->find("llama.block_count")->value), 7u);
  EXPECT_EQ(std::get<double>(header->find("llama.rope.freq_base")->value), 10000.0);
  EXPECT_TRUE(std::get<bool>(header->find("tokenizer.ggml.add_bos_token")->value));
  const auto& tokens = std::get<GgufArray>(header->find("tokenizer.ggml.tokens")->value);
  EXPECT_EQ(tokens.texts, (std::vector<std::string_view>{"a", "", "\xC4\xA0t"}));
  const auto& types = std::get<GgufArray>(header->find("tokenizer.ggml.token_type")->value);
  int32_t last;
  std::memcpy(&last, types.numbers.data() + 8, 4);
  EXPECT_EQ(last, -3);
  ASSERT_EQ(header->tensors.size(), 3u);
  size_t at = 0;
  for (size_t i = 0; i < 3; ++i) {
    const GgufTensor& tensor = header->tensors[i];
    EXPECT_EQ(tensor.name, plan.tensors[i].name);
    EXPECT_EQ(tensor.shape, plan.tensors[i].shape);
    EXPECT_EQ(tensor.type, plan.tensors[i].type);
    EXPECT_EQ(tensor.begin % 32, 0u);
    ASSERT_EQ(tensor.end - tensor.begin, static_cast<uint64_t>(plan.tensors[i].bytes()));
    EXPECT_EQ(std::memcmp((*map)->bytes().data() + tensor.begin, payload.data() + at, tensor.end - tensor.begin), 0);
    at += tensor.end - tensor.begin;
  }
}

// The layout of FORMAT.md, byte by byte, so that writer and reader cannot be wrong together.
TEST(Gguf, BytesAreThoseOfTheFormat) {
  GgufPlan plan;
  plan.metadata.u32("k", 258);
  plan.tensors = {{"t", {2, 32}, &ggml_type(GgmlTypeId::q4_0)}};
  const std::string expected =
      std::string("GGUF\x03\0\0\0", 8) + std::string("\x01\0\0\0\0\0\0\0", 8) + std::string("\x01\0\0\0\0\0\0\0", 8) +
      std::string("\x01\0\0\0\0\0\0\0k", 9) + std::string("\x04\0\0\0\x02\x01\0\0", 8) +
      std::string("\x01\0\0\0\0\0\0\0t", 9) + std::string("\x02\0\0\0", 4) + std::string("\x20\0\0\0\0\0\0\0", 8) +
      std::string("\x02\0\0\0\0\0\0\0", 8) + std::string("\x02\0\0\0", 4) + std::string(8, '\0');
  const std::string head = head_text(plan);
  EXPECT_EQ(head.size(), 96u);
  EXPECT_EQ(head.substr(0, expected.size()), expected);
  EXPECT_EQ(head.substr(expected.size()), std::string(96 - expected.size(), '\0'));
}

TEST(Gguf, BlocksHoldCodesAndDecodeToCodeTimesScale) {
  int8_t codes[32];
  std::byte block[34];
  float row[32];
  const uint16_t scale = f32_to_f16(-0.37f);
  for (int j = 0; j < 32; ++j) codes[j] = static_cast<int8_t>(j % 16 - 8);
  pack_q4_0(codes, scale, 0, block);
  EXPECT_EQ(static_cast<int>(block[2 + 3]), 3 | 3 << 4);  // elements 3 and 19
  ggml_type(GgmlTypeId::q4_0).decode_row(block, 32, row);
  for (int j = 0; j < 32; ++j) EXPECT_EQ(row[j], static_cast<float>(codes[j]) * f16_to_f32(scale)) << j;
  for (int j = 0; j < 32; ++j) codes[j] = static_cast<int8_t>(j * 8 - 128);
  pack_q8_0(codes, scale, 0, block);
  ggml_type(GgmlTypeId::q8_0).decode_row(block, 32, row);
  for (int j = 0; j < 32; ++j) EXPECT_EQ(row[j], static_cast<float>(codes[j]) * f16_to_f32(scale)) << j;
}

TEST(Gguf, NamesGoBothWays) {
  const GgufArchitecture& llama = *find_gguf_architecture("llama");
  for (const char* name : {"model.embed_tokens.weight", "lm_head.weight", "model.layers.0.self_attn.q_proj.bias",
                           "model.layers.31.mlp.down_proj.weight", "model.layers.7.post_attention_layernorm.weight"}) {
    const std::string stored = gguf_tensor_name(name, llama);
    EXPECT_FALSE(stored.empty()) << name;
    EXPECT_EQ(hugging_face_tensor_name(stored, llama), name);
  }
  EXPECT_EQ(gguf_tensor_name("model.layers.12.self_attn.k_proj.weight", llama), "blk.12.attn_k.weight");
  for (const char* name : {"model.layers.01.self_attn.k_proj.weight", "model.layers.x.self_attn.k_proj.weight",
                           "weight", "model.layers.1.self_attn.k_proj", "model.layers.1.weight", ""})
    EXPECT_EQ(gguf_tensor_name(name, llama), "") << name;
}

TEST(Gguf, NamesDependOnTheArchitecture) {
  struct Row {
    const char *architecture, *hugging_face, *gguf;  // without layer and ".weight"
  };
  for (const Row& row : {Row{"gemma", "post_attention_layernorm", "ffn_norm"},
                         {"gemma2", "post_attention_layernorm", "post_attention_norm"},
                         {"gemma3", "pre_feedforward_layernorm", "ffn_norm"},
                         {"gemma3", "post_feedforward_layernorm", "post_ffw_norm"},
                         {"gemma3", "self_attn.q_norm", "attn_q_norm"},
                         {"phi2", "self_attn.dense", "attn_output"},
                         {"phi2", "mlp.fc1", "ffn_up"},
                         {"phi2", "mlp.fc2", "ffn_down"},
                         {"phi3", "self_attn.qkv_proj", "attn_qkv"},
                         {"phi3", "mlp.gate_up_proj", "ffn_up"},
                         {"phi3", "mlp.down_proj", "ffn_down"},
                         {"qwen3", "self_attn.k_norm", "attn_k_norm"}}) {
    const GgufArchitecture& architecture = *find_gguf_architecture(row.architecture);
    const std::string name = std::string("model.layers.5.") + row.hugging_face + ".weight";
    EXPECT_EQ(gguf_tensor_name(name, architecture), std::string("blk.5.") + row.gguf + ".weight");
    EXPECT_EQ(hugging_face_tensor_name(std::string("blk.5.") + row.gguf + ".weight", architecture), name);
  }
  EXPECT_EQ(gguf_tensor_name("model.final_layernorm.bias", *find_gguf_architecture("phi2")), "output_norm.bias");
  EXPECT_EQ(gguf_tensor_name("model.final_layernorm.bias", *find_gguf_architecture("llama")), "");
  EXPECT_EQ(gguf_tensor_name("model.layers.0.self_attn.q_proj.weight", *find_gguf_architecture("phi3")), "");
  EXPECT_EQ(find_gguf_architecture("mamba"), nullptr);
  for (const GgufArchitecture& row : gguf_architectures())
    EXPECT_EQ(row.norms_hold_one_more, row.name.starts_with("gemma")) << row.name;
}

TEST(Gguf, HalfSplitRowsInterleave) {
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < 12; ++row) rows.push_back(half_split_row(row, 6));
  EXPECT_EQ(rows, (std::vector<int64_t>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}));
}

TEST(Gguf, EveryTypeHasAPlausibleSize) {
  for (const GgmlType& type : all_ggml_types()) {
    EXPECT_EQ(find_ggml_type(type.id), &type);
    EXPECT_EQ(find_ggml_type(type.name), &type);
    const double bits = 8.0 * static_cast<double>(type.bytes) / static_cast<double>(type.block);
    EXPECT_GE(bits, 1.0) << type.name;
    EXPECT_LE(bits, 64.0) << type.name;
  }
  EXPECT_EQ(find_ggml_type(uint32_t{4}), nullptr);
  EXPECT_EQ(describe_foreign_ggml_type(144), "IQ4_KS of ik_llama.cpp");
}

TEST(Gguf, EveryTruncationIsRefused) {
  const std::string whole = file_text(small_plan());
  ASSERT_EQ(gguf_message(whole), "accepted");
  const size_t needed = whole.size() - 28;  // the last payload's padding may be missing: 68 of 96 bytes
  for (size_t size = 0; size < needed; ++size) ASSERT_NE(gguf_message(whole.substr(0, size)), "accepted") << size;
  EXPECT_EQ(gguf_message(whole.substr(0, needed)), "accepted");
}

TEST(Gguf, WrongMagicAndVersionsAreNamed) {
  std::string file = file_text(small_plan());
  put_number(file, 4, 2, 4);
  EXPECT_EQ(gguf_message(file), "accepted");
  put_number(file, 4, 1, 4);
  EXPECT_TRUE(contains(gguf_message(file), "[gguf x.gguf] offset 8: expected GGUF version 2 or 3, got 1"));
  put_number(file, 4, 0x03000000, 4);
  EXPECT_TRUE(contains(gguf_message(file), "big-endian"));
  put_number(file, 4, 9, 4);
  EXPECT_TRUE(contains(gguf_message(file), "got 9"));
  file[0] = 'g';
  EXPECT_TRUE(contains(gguf_message(file), "expected the letters GGUF first"));
}

TEST(Gguf, CountsAndLengthsBeyondTheFileAreRefusedBeforeAnythingIsAllocated) {
  const std::string good = file_text(small_plan());
  for (const size_t at : {size_t{8}, size_t{16}}) {
    std::string file = good;
    put_number(file, at, ~uint64_t{0} >> 1, 8);
    EXPECT_TRUE(contains(gguf_message(file), "the file is truncated or damaged")) << gguf_message(file);
  }
  std::string file = good;
  put_number(file, 24, uint64_t{1} << 60, 8);  // length of the first key
  EXPECT_TRUE(contains(gguf_message(file), "more bytes")) << gguf_message(file);
  file = good;
  put_number(file, behind(file, "tokenizer.ggml.tokens") + 8, uint64_t{1} << 61, 8);
  EXPECT_TRUE(contains(gguf_message(file), "elements of 'tokenizer.ggml.tokens'")) << gguf_message(file);
  file = good;
  put_number(file, behind(file, "tokenizer.ggml.scores") + 8, uint64_t{1} << 62, 8);
  EXPECT_TRUE(contains(gguf_message(file), "elements of 'tokenizer.ggml.scores'")) << gguf_message(file);
}

TEST(Gguf, WrongValuesAreNamed) {
  const std::string good = file_text(small_plan());
  std::string file = good;
  put_number(file, behind(file, "llama.block_count"), 13, 4);
  EXPECT_TRUE(contains(gguf_message(file), "expected a value type from 0 to 12, got 13"));
  file = good;
  put_number(file, behind(file, "tokenizer.ggml.add_bos_token") + 4, 2, 1);
  EXPECT_TRUE(contains(gguf_message(file), "expected a boolean 0 or 1, got 2"));
  file = good;
  put_number(file, behind(file, "tokenizer.ggml.scores") + 4, 9, 4);
  EXPECT_TRUE(contains(gguf_message(file), "got a list of lists"));
  GgufPlan plan = small_plan();
  plan.metadata.u32("general.alignment", 48);
  EXPECT_TRUE(contains(gguf_message(file_text(plan)), "a power of two up to 16777216, got 48"));
}

TEST(Gguf, WrongTensorsAreNamed) {
  const std::string good = file_text(small_plan());
  const size_t norm = behind(good, "output_norm.weight"), last = behind(good, "output.weight");
  const auto broken = [&](size_t at, uint64_t value, size_t bytes) {
    std::string file = good;
    put_number(file, at, value, bytes);
    return gguf_message(file);
  };
  EXPECT_TRUE(contains(broken(norm, 5, 4), "tensor 'output_norm.weight': expected 1 to 4 dimensions, got 5"));
  EXPECT_TRUE(contains(broken(norm, 0, 4), "expected 1 to 4 dimensions, got 0"));
  EXPECT_TRUE(contains(broken(norm + 4, uint64_t{1} << 63, 8), "whose product fits 63 bits"));
  EXPECT_TRUE(contains(broken(norm + 4, 0, 8), "whose product fits 63 bits"));
  EXPECT_TRUE(contains(broken(norm + 12, 144, 4), "IQ4_KS of ik_llama.cpp"));
  EXPECT_TRUE(contains(broken(norm + 12, 5555, 4), "got number 5555 (unknown)"));
  EXPECT_TRUE(contains(broken(norm + 12, 2, 4), "expected rows of a multiple of 32 numbers for q4_0, got 5"));
  EXPECT_TRUE(
      contains(broken(norm + 16, 32, 8), "expected its data at 128, right behind the tensor before it, got 32"));
  EXPECT_TRUE(contains(broken(norm + 4, 4000, 8), "of data; the file is truncated")) << broken(norm + 4, 4000, 8);
  EXPECT_TRUE(contains(broken(last + 12, 1000, 8), "the file is truncated"));
  EXPECT_NE(broken(last + 12, uint64_t{1} << 62, 8), "accepted");
}

TEST(Gguf, ANameOrKeyTwiceIsRefused) {
  GgufPlan plan = small_plan();
  plan.tensors[2].name = "output_norm.weigh_";
  std::string file = file_text(plan);
  file[file.find("weigh_") + 5] = 't';
  EXPECT_TRUE(contains(gguf_message(file), "expected every tensor once, got 'output_norm.weight' twice"));
  plan = small_plan();
  plan.metadata.u32("llama.block_coun_", 1);
  file = file_text(plan);
  file[file.find("coun_") + 4] = 't';
  EXPECT_TRUE(contains(gguf_message(file), "expected every key once, got 'llama.block_count' twice"));
}

TEST(Gguf, TheWriterRefusesWhatGgmlWouldNotLoad) {
  const auto message = [](const GgufPlan::Tensor& tensor) {
    GgufPlan plan;
    plan.tensors = {tensor};
    const auto head = gguf_head(plan, "x.gguf");
    return head.ok() ? "accepted" : std::string(head.status().message());
  };
  const GgmlType& q4 = ggml_type(GgmlTypeId::q4_0);
  EXPECT_TRUE(contains(message({std::string(64, 'n'), {32}, &q4}), "expected a name of 1 to 63 bytes, got 64"));
  EXPECT_TRUE(contains(message({"t", {2, 2, 2, 2, 32}, &q4}), "expected 1 to 4 dimensions"));
  EXPECT_TRUE(contains(message({"t", {2, 40}, &q4}), "expected rows of a multiple of 32 numbers for q4_0, got 40"));
  GgufPlan plan = small_plan();
  plan.tensors.push_back(plan.tensors[0]);
  EXPECT_TRUE(contains(std::string(gguf_head(plan, "x.gguf").status().message()), "twice"));
}

TEST(Gguf, AFullDiskIsAnError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  auto writer = GgufWriter::create("/dev/full", small_plan());
  ASSERT_TRUE(writer.ok());
  const std::string payload(static_cast<size_t>(108 + 20 + 68), 'x');
  Status status = writer->write(bytes_of_text(payload));
  if (status.ok()) status = writer->finish();
  EXPECT_FALSE(status.ok());
}

}  // namespace
}  // namespace halftone
