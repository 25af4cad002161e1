// SPDX-License-Identifier: Apache-2.0
#include "models/language_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/temp_folder.h"
#include "formats/safetensors/safetensors.h"
#include "models/synth.h"
#include "models/synth/tiny_tokenizer.h"

namespace halftone {
namespace {

using Json = nlohmann::json;

// One layer of each family (two of Gemma 2, whose layers alternate), small enough to read in a golden file.
Json config_of(const std::string& family) {
  for (const SynthShape& shape : synth_shapes()) {
    if (shape.name != "tiny-" + family || family == "mistral" || family.starts_with("qwen")) continue;
    Json json = Json::parse(shape.config);
    json["num_hidden_layers"] = family == "gemma2" ? 2 : 1;
    return json;
  }
  Json json =
      Json::parse(R"({"hidden_size": 32, "intermediate_size": 44, "num_hidden_layers": 1, "num_attention_heads": 4,
      "num_key_value_heads": 2, "vocab_size": 288, "rms_norm_eps": 1e-5, "max_position_embeddings": 64})");
  json["model_type"] = family;
  if (family == "llama") json["tie_word_embeddings"] = json["mlp_bias"] = true;
  if (family == "mistral") json["sliding_window"] = 16;
  if (family == "qwen3") json["head_dim"] = 16;
  return json;
}

std::shared_ptr<const LanguageModel> loaded(const std::filesystem::path& folder) {
  auto model = load_language_model(folder);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return model.ok() ? *model : nullptr;
}

class Families : public testing::TestWithParam<std::string> {};

TEST_P(Families, LoadWhatSynthWritesAndDumpAsCommitted) {
  TempFolder temp;
  const auto written = synth_from_config(config_of(GetParam()), temp / "m", {});
  ASSERT_TRUE(written.ok()) << written.status().message();
  const auto model = loaded(temp / "m");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->config.family, GetParam());
  EXPECT_EQ(model->tokenizer, nullptr);
  EXPECT_EQ(model->model->weight_bytes(), written->bytes);
  EXPECT_EQ(model->model->vocabulary(), 288);
  const std::string golden = std::string(HALFTONE_SOURCE_DIR) + "/tests/golden/graph_" + GetParam() + ".txt";
  const auto expected = read_text_file(golden);
  EXPECT_EQ(dump(model->model->graph()), expected.ok() ? *expected : "") << golden;
}

INSTANTIATE_TEST_SUITE_P(All, Families,
                         testing::Values("llama", "mistral", "qwen2", "qwen3", "phi", "phi3", "gemma", "gemma2",
                                         "gemma3"),
                         [](const auto& info) { return info.param; });

struct FileTensor {
  std::string name;
  DType type;
  std::vector<int64_t> shape;
  std::string bytes;
};

// A tiny Llama folder whose config and tensors a test may spoil.
class Spoiled {
 public:
  Spoiled() {
    EXPECT_TRUE(synth("tiny", temp_ / "good", {.type = DType::f32}).ok());
    const auto file = open_model_file(temp_ / "good");
    EXPECT_TRUE(file.ok());
    config = file->config;
    for (const StoredTensor& tensor : file->tensors) {
      tensors.push_back({tensor.name,
                         DType::f32,
                         tensor.shape,
                         {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()}});
    }
    tokenizer = Json::parse(tiny_tokenizer_json());
  }
  FileTensor& tensor(std::string_view name) {
    return *std::find_if(tensors.begin(), tensors.end(), [&](const FileTensor& tensor) { return tensor.name == name; });
  }
  void add_zeros(const std::string& name, int64_t size, DType type = DType::f32) {
    tensors.push_back({name, type, {size}, std::string(static_cast<size_t>(size * bytes_of(type)), '\0')});
  }
  Result<std::shared_ptr<const LanguageModel>> load() {
    const auto folder = temp_ / "spoiled";
    std::filesystem::create_directories(folder);
    EXPECT_TRUE(write_file_atomic(folder / "config.json", config.dump()).ok());
    EXPECT_TRUE(write_file_atomic(folder / "tokenizer.json", tokenizer.dump()).ok());
    if (!generation.is_null()) {
      EXPECT_TRUE(write_file_atomic(folder / "generation_config.json", generation.dump()).ok());
    }
    SafetensorsPlan plan;
    for (const FileTensor& tensor : tensors) {
      plan.tensors.push_back({tensor.name, tensor.type, tensor.shape, static_cast<int64_t>(tensor.bytes.size())});
    }
    auto writer = SafetensorsWriter::create(folder / "model.safetensors", plan);
    EXPECT_TRUE(writer.ok()) << writer.status().message();
    for (const FileTensor& tensor : tensors) EXPECT_TRUE(writer->write(std::as_bytes(std::span(tensor.bytes))).ok());
    EXPECT_TRUE(writer->finish().ok());
    return load_language_model(folder);
  }
  std::string message() {
    const auto model = load();
    EXPECT_FALSE(model.ok());
    return std::string(model.status().message());
  }

  Json config, tokenizer, generation;
  std::vector<FileTensor> tensors;

 private:
  TempFolder temp_;
};

void expect_message(Spoiled& spoiled, const std::string& part) {
  const std::string message = spoiled.message();
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(LoadLanguageModel, TheUnspoiledFolderLoadsWithItsTokenizer) {
  Spoiled folder;
  const auto model = folder.load();
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->tokenizer->size(), kTinyTokenizerIds);
  EXPECT_EQ((*model)->config.eos, (std::vector<int64_t>{287}));
  EXPECT_TRUE((*model)->ignored.empty());
  ThreadPool pool(2);
  EXPECT_TRUE(check_finite_weights(**model, pool).ok());
}

TEST(LoadLanguageModel, GenerationConfigNamesTheEnd) {
  Spoiled folder;
  folder.generation = Json::parse(R"({"eos_token_id": [5, 6]})");
  const auto model = folder.load();
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->config.eos, (std::vector<int64_t>{5, 6}));
}

TEST(LoadLanguageModel, MissingTensors) {
  Spoiled folder;
  std::erase_if(folder.tensors,
                [](const FileTensor& tensor) { return tensor.name.find("layers.1.mlp") != std::string::npos; });
  expect_message(folder,
                 "expected 20 tensors by config.json, got 3 less: model.layers.1.mlp.gate_proj.weight, "
                 "model.layers.1.mlp.up_proj.weight, model.layers.1.mlp.down_proj.weight; a shard is missing");
}

TEST(LoadLanguageModel, AMissingHeadExplainsTies) {
  Spoiled folder;
  folder.config["tie_word_embeddings"] = false;
  expect_message(folder, "lm_head.weight; set \"tie_word_embeddings\": true when the embedding is also the output");
}

TEST(LoadLanguageModel, ExtraTensors) {
  Spoiled folder;
  folder.add_zeros("model.layers.0.self_attn.q_proj.bias", 64);
  expect_message(
      folder, "expected only tensors of family llama with 2 layers, got 1 more: model.layers.0.self_attn.q_proj.bias");
}

TEST(LoadLanguageModel, HarmlessTensorsAreIgnoredAndNamed) {
  Spoiled folder;
  folder.add_zeros("model.layers.0.self_attn.rotary_emb.inv_freq", 8);
  FileTensor head = folder.tensor("model.embed_tokens.weight");
  head.name = "lm_head.weight";
  folder.tensors.push_back(head);
  const auto model = folder.load();
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->ignored,
            (std::vector<std::string>{"lm_head.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"}));
}

TEST(LoadLanguageModel, WrongShapesSayBoth) {
  Spoiled folder;
  folder.tensor("model.layers.0.mlp.up_proj.weight").shape = {64, 172};
  expect_message(folder,
                 "model.safetensors: tensor model.layers.0.mlp.up_proj.weight: expected shape (172, 64) by "
                 "config.json, got (64, 172)");
  Spoiled vector;
  vector.tensor("model.norm.weight").shape = {1, 64};
  expect_message(vector, "tensor model.norm.weight: expected shape (64) by config.json, got (1, 64)");
}

TEST(LoadLanguageModel, WrongElementTypes) {
  Spoiled folder;
  folder.tensor("model.norm.weight").type = DType::i32;
  expect_message(folder, "tensor model.norm.weight: expected f32, f16, bf16 or a packed layout, got i32");
}

TEST(LoadLanguageModel, NotANumberInAVectorIsFoundOnLoadAndInAMatrixOnRequest) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Spoiled vector;
  std::memcpy(vector.tensor("model.norm.weight").bytes.data() + 12, &nan, sizeof(nan));
  expect_message(vector, "model.norm.weight");
  Spoiled matrix;
  std::memcpy(matrix.tensor("model.layers.1.self_attn.k_proj.weight").bytes.data() + 1000, &nan, sizeof(nan));
  const auto model = matrix.load();
  ASSERT_TRUE(model.ok()) << model.status().message();
  ThreadPool pool(1);
  const Status status = check_finite_weights(**model, pool);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find("model.layers.1.self_attn.k_proj.weight"), std::string::npos) << status.message();
}

TEST(LoadLanguageModel, ATokenizerLargerThanTheVocabulary) {
  Spoiled folder;
  folder.tokenizer["added_tokens"].push_back({{"id", 288}, {"content", "<extra>"}, {"special", true}});
  expect_message(folder, "expected a tokenizer of at most 288 ids (vocab_size), got 289");
}

TEST(LoadLanguageModel, BrokenFilesAreNamed) {
  Spoiled config;
  config.config["hidden_size"] = 60;
  expect_message(config, "config.json");
  Spoiled family;
  family.config["model_type"] = "mamba";
  expect_message(
      family,
      "expected a known family (llama, mistral, qwen2, qwen3, phi, phi3, gemma, gemma2, gemma3_text), got \"mamba\"");
  Spoiled tokenizer;
  tokenizer.tokenizer.erase("model");
  expect_message(tokenizer, "tokenizer.json");
  Spoiled generation;
  generation.generation = Json::parse(R"({"eos_token_id": 288})");
  expect_message(generation, "generation_config.json: eos_token_id: expected whole numbers from 0 to 287");
}

TEST(OpenTokenizer, AFolderWithoutOneSaysSo) {
  ModelFile file;
  file.path = "some/folder";
  EXPECT_EQ(
      open_tokenizer(file).status().message(),
      "[tokenizer] some/folder: expected tokenizer.json or tokenizer.model, got neither; copy it beside the weights");
}

}  // namespace
}  // namespace halftone
