// SPDX-License-Identifier: Apache-2.0
#include "formats/huggingface/huggingface.h"

#include <gtest/gtest.h>

#include "formats/json_text.h"
#include "formats/test_files.h"

namespace halftone {
namespace {

const TestTensor kFirst{"model.a.weight", DType::f32, {2, 3}, {1, 2, 3, 4, 5, 6}};
const TestTensor kSecond{"model.b.weight", DType::bf16, {3}, {0.5f, -2, 8}};
const TestTensor kThird{"lm_head.weight", DType::f16, {1, 2}, {0.25f, -4}};

std::string message_of(const std::filesystem::path& folder) {
  const auto model = open_model_file(folder);
  return model.ok() ? "accepted" : std::string(model.status().message());
}

void write_index(const std::filesystem::path& folder, const std::string& map) {
  write_text(folder / "model.safetensors.index.json", R"({"metadata":{"total_size":1},"weight_map":{)" + map + "}}");
}

constexpr const char* kMap =
    R"("model.a.weight":"s1.safetensors","model.b.weight":"s1.safetensors","lm_head.weight":"s2.safetensors")";

void write_sharded(const std::filesystem::path& folder) {
  write_text(folder / "config.json", "{}");
  write_safetensors(folder / "s1.safetensors", {kFirst, kSecond});
  write_safetensors(folder / "s2.safetensors", {kThird});
  write_index(folder, kMap);
}

TEST(HuggingFace, ReadsASingleFileWithUnalignedPayloads) {
  const TempFolder folder;
  write_model(folder.path(), {kSecond, kFirst, kThird});
  write_text(folder / "tokenizer.json", "{}");
  write_text(folder / "chat_template.jinja", "x");
  const auto model = open_model_file(folder.path());
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->container, "huggingface");
  EXPECT_EQ(model->config.at("model_type"), "llama");
  ASSERT_EQ(model->tensors.size(), 3u);
  EXPECT_EQ(model->tensors[0].name, "lm_head.weight");  // sorted
  EXPECT_EQ(model->find("nothing"), nullptr);
  const StoredTensor* tensor = model->find("model.a.weight");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->elements(), 6);
  EXPECT_EQ(tensor->view().rows, 2);
  float row[3];
  decode_row(tensor->view(), 1, row);
  EXPECT_EQ(row[2], 6.0f);
  const StoredTensor* vector = model->find("model.b.weight");
  EXPECT_EQ(vector->view().rows, 1);
  decode_row(vector->view(), 0, row);
  EXPECT_EQ(row[1], -2.0f);
  EXPECT_EQ(model->side_files.size(), 2u);
  EXPECT_EQ(model->bytes_on_disk, static_cast<int64_t>(std::filesystem::file_size(folder / "model.safetensors")));
}

TEST(HuggingFace, ReadsShards) {
  const TempFolder folder;
  write_sharded(folder.path());
  const auto model = open_model_file(folder.path());
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->tensors.size(), 3u);
  EXPECT_EQ(model->maps.size(), 2u);
  EXPECT_EQ(model->find("lm_head.weight")->file.filename(), "s2.safetensors");
}

TEST(HuggingFace, NamesAMissingShard) {
  const TempFolder folder;
  write_sharded(folder.path());
  std::filesystem::remove(folder / "s2.safetensors");
  EXPECT_TRUE(contains(message_of(folder.path()), "expected 2 shards, got no file s2.safetensors"));
}

TEST(HuggingFace, ShardsAndIndexMustAgreeBothWays) {
  const TempFolder folder;
  write_sharded(folder.path());
  write_index(folder.path(), std::string(kMap) + R"(,"model.c.weight":"s2.safetensors")");
  EXPECT_TRUE(contains(message_of(folder.path()),
                       "expected tensor 'model.c.weight' in s2.safetensors, got a shard without it"));
  write_index(folder.path(), R"("model.a.weight":"s1.safetensors","lm_head.weight":"s2.safetensors")");
  EXPECT_TRUE(contains(message_of(folder.path()), "got 'model.b.weight' that it does not list"));
  write_index(
      folder.path(),
      R"("model.a.weight":"s2.safetensors","model.b.weight":"s1.safetensors","lm_head.weight":"s2.safetensors")");
  EXPECT_TRUE(contains(message_of(folder.path()), "'model.a.weight' in s2.safetensors, got it in s1.safetensors"));
}

TEST(HuggingFace, ATensorInTwoShardsIsAnError) {
  const TempFolder folder;
  write_sharded(folder.path());
  write_safetensors(folder / "s2.safetensors", {kThird, kFirst});
  EXPECT_TRUE(contains(message_of(folder.path()), "'model.a.weight' in one shard, got it in s1.safetensors too"));
}

TEST(HuggingFace, ADamagedShardIsNamed) {
  const TempFolder folder;
  write_sharded(folder.path());
  const std::string shard = read_text(folder / "s2.safetensors");
  write_text(folder / "s2.safetensors", shard.substr(0, shard.size() - 1));
  const std::string message = message_of(folder.path());
  EXPECT_TRUE(contains(message, "s2.safetensors: tensor 'lm_head.weight'") && contains(message, "truncated"))
      << message;
}

TEST(HuggingFace, AnIndexCannotReachOutsideItsFolder) {
  for (const char* shard :
       {R"("../s1.safetensors")", R"("/etc/passwd")", R"("..")", R"("a\\b")", R"("")", "7", R"("a\u0000b")"}) {
    const auto index = parse_shard_index(std::string(R"({"weight_map":{"w":)") + shard + "}}", "i.json");
    ASSERT_FALSE(index.ok()) << shard;
    EXPECT_TRUE(contains(index.status().message(),
                         "[huggingface] i.json: expected a file name of the same folder for tensor 'w'"))
        << index.status().message();
  }
}

TEST(HuggingFace, ABadIndexIsRefused) {
  for (const char* text : {"[]", "{}", R"({"weight_map":[]})", R"({"weight_map":{}})"})
    EXPECT_TRUE(contains(parse_shard_index(text, "i.json").status().message(), "'weight_map'")) << text;
  EXPECT_TRUE(contains(parse_shard_index("{", "i.json").status().message(), "i.json: expected JSON"));
  EXPECT_TRUE(
      contains(parse_shard_index(R"({"weight_map":{"w":"a","w":"b"}})", "i.json").status().message(), "'w' twice"));
}

TEST(HuggingFace, SaysWhatIsNotAModel) {
  const TempFolder folder;
  EXPECT_TRUE(contains(message_of(folder / "nowhere"), "got nothing at this path"));
  std::string message = message_of(folder.path());
  EXPECT_TRUE(contains(message, "config.json and *.safetensors") && contains(message, "got a folder with none of them"))
      << message;
  write_text(folder / "file.txt", "x");
  EXPECT_TRUE(
      contains(message_of(folder / "file.txt"), "got another kind of file; give the folder that holds the model"));
  write_text(folder / "config.json", "{}");
  EXPECT_TRUE(
      contains(message_of(folder.path()), "expected model.safetensors or model.safetensors.index.json, got neither"));
  write_text(folder / "pytorch_model.bin", "x");
  EXPECT_TRUE(contains(message_of(folder.path()), "got pytorch_model.bin; save the model as safetensors first"));
  write_safetensors(folder / "model.safetensors", {kFirst});
  EXPECT_EQ(message_of(folder.path()), "accepted");
  std::filesystem::remove(folder / "config.json");
  EXPECT_TRUE(contains(message_of(folder.path()), "expected config.json beside the weights"));
}

TEST(HuggingFace, ConfigMustBeAnObject) {
  const TempFolder folder;
  write_model(folder.path(), {kFirst});
  write_text(folder / "config.json", "[1]");
  EXPECT_TRUE(contains(message_of(folder.path()), "config.json: expected a JSON object, got JSON of type array"));
  write_text(folder / "config.json", "{\"a\": 1, \"a\": 2}");
  EXPECT_TRUE(contains(message_of(folder.path()), "'a' twice"));
  write_text(folder / "config.json", "{\"a\": ");
  EXPECT_TRUE(contains(message_of(folder.path()), "expected JSON, got something else at byte 7"));
}

TEST(JsonText, DepthIsLimited) {
  EXPECT_TRUE(parse_json(std::string(60, '[') + std::string(60, ']'), "j").ok());
  const auto deep = parse_json(std::string(100'000, '['), "j");
  EXPECT_TRUE(contains(deep.status().message(), "at most 64 levels")) << deep.status().message();
  const auto objects = parse_json(
      [] {
        std::string text;
        for (int i = 0; i < 1000; ++i) text += "{\"a\":";
        return text;
      }(),
      "j");
  EXPECT_TRUE(contains(objects.status().message(), "at most 64 levels"));
  EXPECT_FALSE(parse_json("1e999", "j").ok());
  EXPECT_FALSE(parse_json("\"\xff\"", "j").ok());
}

}  // namespace
}  // namespace halftone
