// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf/open.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "formats/gguf/names.h"
#include "formats/import/cache.h"
#include "formats/import/test_cache.h"
#include "formats/test_files.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

// The types whose numbers must be the same floats in our layouts.
constexpr GgmlTypeId kExactTypes[] = {GgmlTypeId::q5_0,   GgmlTypeId::q5_1, GgmlTypeId::q3_k, GgmlTypeId::q4_k,
                                      GgmlTypeId::q5_k,   GgmlTypeId::q6_k, GgmlTypeId::f32,  GgmlTypeId::f16,
                                      GgmlTypeId::bf16,   GgmlTypeId::q4_0, GgmlTypeId::q4_1, GgmlTypeId::q8_0,
                                      GgmlTypeId::iq4_nl, GgmlTypeId::mxfp4};
constexpr GgmlTypeId kRoundedTypes[] = {GgmlTypeId::q2_k, GgmlTypeId::iq4_xs};

std::vector<float> gguf_row(const GgufFiles& files, const GgufTensor& tensor, int64_t row) {
  std::vector<float> out(static_cast<size_t>(tensor.shape.back()));
  const auto at = static_cast<int64_t>(tensor.begin) + row * tensor.type->row_bytes(tensor.shape.back());
  tensor.type->decode_row(files.maps[0]->bytes().data() + at, tensor.shape.back(), out.data());
  return out;
}

std::vector<float> model_row(const StoredTensor& tensor, int64_t row) {
  std::vector<float> out(static_cast<size_t>(tensor.shape.back()));
  decode_row(tensor.view(), row, out.data());
  return out;
}

class OpenGguf : public ::testing::Test {
 protected:
  ModelFile opened(const fs::path& path) {
    auto model = open_model_file(path);
    EXPECT_TRUE(model.ok()) << model.status().message();
    return model.ok() ? *std::move(model) : ModelFile();
  }
  std::string message(const fs::path& path) {
    const auto model = open_model_file(path);
    return model.ok() ? "opened" : std::string(model.status().message());
  }
  int64_t artifacts() const {
    int64_t count = 0;
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(cache_.path(), error))
      count += entry.path().filename() == "model.json" ? 1 : 0;
    return count;
  }
  // Every number against the reference decoder; the largest difference relative to the largest number of its row.
  double worst_difference(const ModelFile& model, const fs::path& path) {
    const auto files = read_gguf_files({path});
    EXPECT_TRUE(files.ok());
    double worst = 0;
    for (const GgufTensor& tensor : files->first().tensors) {
      const std::string name =
          hugging_face_tensor_name(tensor.name, *find_gguf_architecture(files->first().text("general.architecture")));
      const StoredTensor* found = model.find(name);
      if (tensor.name == "rope_freqs.weight") continue;
      EXPECT_NE(found, nullptr) << name;
      if (found == nullptr) return 1;
      EXPECT_EQ(found->shape, tensor.shape) << name;
      const bool turned =
          tensor.name.find("attn_q.") != std::string::npos || tensor.name.find("attn_k.") != std::string::npos;
      const int64_t rows = tensor.shape.size() == 2 ? tensor.shape[0] : 1;
      for (int64_t row = 0; row < rows; ++row) {
        const std::vector<float> expected = gguf_row(*files, tensor, row);
        const std::vector<float> got = model_row(*found, turned ? half_split_row(row, 64) : row);
        double largest = 0, difference = 0;
        for (size_t k = 0; k < got.size(); ++k) {
          largest = std::max(largest, std::fabs(static_cast<double>(expected[k])));
          difference = std::max(difference, std::fabs(static_cast<double>(expected[k]) - static_cast<double>(got[k])));
        }
        worst = std::max(worst, difference / largest);
      }
    }
    return worst;
  }

  TestCache cache_;
  TempFolder folder_;
};

TEST_F(OpenGguf, ExactTypesKeepEveryNumber) {
  for (const GgmlTypeId id : kExactTypes) {
    TestGguf model;
    model.type = &ggml_type(id);
    const fs::path path = folder_ / (std::string(model.type->name) + ".gguf");
    model.write(path);
    const ModelFile file = opened(path);
    EXPECT_EQ(worst_difference(file, path), 0) << model.type->name;
    ASSERT_TRUE(file.import);
    ThreadPool pool(2);
    const Status whole = verify_model_file(file, pool, no_progress());
    EXPECT_TRUE(whole.ok()) << whole.message();
    for (const TensorLabel& label : file.import->labels)
      EXPECT_EQ(label.fidelity, Fidelity::bit_exact) << model.type->name << " " << label.name;
    EXPECT_EQ(file.container, "gguf");
    EXPECT_EQ(file.path, path);
  }
}

TEST_F(OpenGguf, RoundedTypesSayByHowMuch) {
  for (const GgmlTypeId id : kRoundedTypes) {
    TestGguf model;
    model.type = &ggml_type(id);
    const fs::path path = folder_ / (std::string(model.type->name) + ".gguf");
    model.write(path);
    const ModelFile file = opened(path);
    const double worst = worst_difference(file, path);
    EXPECT_GT(worst, 0) << model.type->name;
    ASSERT_TRUE(file.import);
    double said = 0;
    for (const TensorLabel& label : file.import->labels) {
      said = std::max(said, label.max_relative_error);
      if (label.stored_type == model.type->name) {
        EXPECT_EQ(label.fidelity, Fidelity::rounding) << label.name;
        EXPECT_FALSE(label.note.empty());
      }
    }
    EXPECT_LE(worst, said) << model.type->name;
    EXPECT_LE(said, 0x1p-11) << model.type->name;
  }
}

TEST_F(OpenGguf, ConfigComesFromMetadata) {
  TestGguf model;
  model.tied = false;
  model.write(folder_ / "a.gguf");
  const ModelFile file = opened(folder_ / "a.gguf");
  EXPECT_EQ(file.config["model_type"], "llama");
  EXPECT_EQ(file.config["hidden_size"], 256);
  EXPECT_EQ(file.config["head_dim"], 64);
  EXPECT_EQ(file.config["num_key_value_heads"], 2);
  EXPECT_EQ(file.config["vocab_size"], 32);
  EXPECT_EQ(file.config["tie_word_embeddings"], false);
  EXPECT_EQ(file.config["bos_token_id"], 1);
  EXPECT_EQ(file.config["eos_token_id"], nlohmann::json::array({2}));
  EXPECT_TRUE(file.side_files.contains("vocabulary.gguf"));
  TestGguf qwen;
  qwen.architecture = "qwen2";
  qwen.attention_bias = true;
  qwen.write(folder_ / "b.gguf");
  EXPECT_EQ(opened(folder_ / "b.gguf").config["model_type"], "qwen2");
}

TEST_F(OpenGguf, BiasesOfQueriesAndKeysMoveWithTheirRows) {
  TestGguf model;
  model.attention_bias = true;
  model.write(folder_ / "a.gguf");
  const ModelFile file = opened(folder_ / "a.gguf");
  const auto files = read_gguf_files({folder_ / "a.gguf"});
  ASSERT_TRUE(files.ok());
  const auto stored = gguf_row(*files, *files->find_tensor("blk.0.attn_k.bias"), 0);
  const StoredTensor* bias = file.find("model.layers.0.self_attn.k_proj.bias");
  ASSERT_NE(bias, nullptr);
  const auto got = model_row(*bias, 0);
  for (size_t i = 0; i < stored.size(); ++i)
    EXPECT_EQ(got[static_cast<size_t>(half_split_row(static_cast<int64_t>(i), 64))], stored[i]);
}

TEST_F(OpenGguf, RopeDivisorsBecomeFactorsOfTheConfig) {
  TestGguf model;
  model.rope_freqs = true;
  model.write(folder_ / "a.gguf");
  const ModelFile file = opened(folder_ / "a.gguf");
  const auto& factors = file.config["rope_scaling"]["short_factor"];
  ASSERT_EQ(factors.size(), 32u);
  EXPECT_EQ(factors[0], 1.0);
  EXPECT_EQ(factors[31], 8.0);
  EXPECT_EQ(file.config["rope_scaling"]["long_factor"], factors);
}

TEST_F(OpenGguf, TheCacheAnswersTheSecondTime) {
  const fs::path path = folder_ / "a.gguf";
  TestGguf().write(path);
  EXPECT_GT(opened(path).import->seconds, 0);
  const ModelFile again = opened(path);
  EXPECT_EQ(again.import->seconds, 0);
  EXPECT_EQ(again.import->cache.parent_path().parent_path(), cache_.path());
  // The same bytes elsewhere are the same model.
  fs::copy_file(path, folder_ / "b.gguf");
  EXPECT_EQ(opened(folder_ / "b.gguf").import->cache, again.import->cache);
  EXPECT_EQ(opened(folder_ / "b.gguf").import->seconds, 0);
  EXPECT_EQ(artifacts(), 1);
  // Another file of the same name and size is another model.
  TestGguf other;
  other.seed = 8;
  other.write(path);
  EXPECT_NE(opened(path).import->cache, again.import->cache);
  EXPECT_EQ(worst_difference(opened(path), path), 0);
  EXPECT_EQ(artifacts(), 2);
}

TEST_F(OpenGguf, ADamagedCacheIsMadeAgain) {
  const fs::path path = folder_ / "a.gguf";
  TestGguf().write(path);
  const fs::path cached = opened(path).import->cache;
  fs::resize_file(cached / "weights.safetensors", 1000);
  EXPECT_EQ(worst_difference(opened(path), path), 0);
  fs::remove(cached / "model.json");
  EXPECT_EQ(worst_difference(opened(path), path), 0);
  for (const auto& entry : fs::directory_iterator(cached.parent_path() / "index")) write_text(entry.path(), "{");
  EXPECT_EQ(worst_difference(opened(path), path), 0);
  EXPECT_EQ(artifacts(), 1);
}

TEST_F(OpenGguf, ManyAtOnceGetTheSameModel) {
  const fs::path path = folder_ / "a.gguf";
  TestGguf().write(path);
  std::vector<std::thread> threads;
  std::vector<std::string> messages(6, "opened");
  for (std::string& message : messages)
    threads.emplace_back([&] {
      const auto model = open_model_file(path);
      if (!model.ok()) message = model.status().message();
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& message : messages) EXPECT_EQ(message, "opened");
  EXPECT_EQ(artifacts(), 1);
  EXPECT_EQ(worst_difference(opened(path), path), 0);
}

TEST_F(OpenGguf, ACacheThatCannotBeWrittenIsAnErrorThatSaysWhatToDo) {
  write_text(folder_ / "file", "no folder");
  ::setenv("HALFTONE_CACHE", (folder_ / "file").c_str(), 1);
  TestGguf().write(folder_ / "a.gguf");
  const std::string text = message(folder_ / "a.gguf");
  EXPECT_TRUE(contains(text, "HALFTONE_CACHE")) << text;
}

// Writes the model, changes bytes where a tensor lies, and gives the error.
TEST_F(OpenGguf, ScalesThatAreNoNumbersAreRefusedWithTheirPlace) {
  const fs::path path = folder_ / "a.gguf";
  TestGguf().write(path);
  const auto files = read_gguf_files({path});
  ASSERT_TRUE(files.ok());
  const GgufTensor* tensor = files->find_tensor("blk.0.ffn_up.weight");
  std::string bytes = read_text(path);
  const size_t at = tensor->begin + static_cast<size_t>(3 * tensor->type->row_bytes(256) + 2 * 18);
  bytes[at] = '\0';
  bytes[at + 1] = '\x7c';
  write_text(path, bytes);
  const std::string text = message(path);
  EXPECT_TRUE(contains(text, "tensor 'blk.0.ffn_up.weight'")) << text;
  EXPECT_TRUE(contains(text, "got inf at row 3, column 64")) << text;
  EXPECT_EQ(artifacts(), 0);
}

TEST_F(OpenGguf, WhatCannotBeReadIsNamed) {
  TestGguf model;
  model.type = find_ggml_type("iq3_s");
  model.write(folder_ / "a.gguf");
  EXPECT_TRUE(contains(message(folder_ / "a.gguf"), "expected a type that opens")) << message(folder_ / "a.gguf");
  EXPECT_TRUE(contains(message(folder_ / "a.gguf"), "got iq3_s"));
  TestGguf other;
  other.architecture = "mamba";
  other.write(folder_ / "b.gguf");
  EXPECT_TRUE(contains(message(folder_ / "b.gguf"), "got 'mamba'"));
  TestGguf experts;
  experts.more = {{"llama.expert_count", 8}};
  experts.write(folder_ / "c.gguf");
  EXPECT_TRUE(contains(message(folder_ / "c.gguf"), "8 experts"));
  GgufPlan strange = TestGguf().plan();
  strange.tensors.push_back({"blk.0.ssm_a.weight", {4}, &ggml_type(GgmlTypeId::f32)});
  TestGguf::write_plan(folder_ / "d.gguf", strange, 1);
  EXPECT_TRUE(contains(message(folder_ / "d.gguf"), "tensor 'blk.0.ssm_a.weight'"));
}

TEST_F(OpenGguf, Phi2InOneMatrixComesApart) {
  TestGguf model;
  model.architecture = "phi2";
  GgufPlan plan;
  plan.metadata = model.plan().metadata;
  plan.metadata.f32("phi2.attention.layer_norm_epsilon", 1e-5);
  plan.metadata.u32("phi2.rope.dimension_count", 26);
  const GgmlType *f32 = &ggml_type(GgmlTypeId::f32), *q8 = &ggml_type(GgmlTypeId::q8_0);
  plan.tensors = {{"token_embd.weight", {32, 256}, q8},
                  {"blk.0.attn_qkv.weight", {512, 256}, q8},
                  {"blk.0.attn_qkv.bias", {512}, f32}};
  TestGguf::write_plan(folder_ / "a.gguf", plan, 1);
  const ModelFile file = opened(folder_ / "a.gguf");
  const auto files = read_gguf_files({folder_ / "a.gguf"});
  ASSERT_TRUE(files.ok());
  const GgufTensor& whole = *files->find_tensor("blk.0.attn_qkv.weight");
  const auto biases = gguf_row(*files, *files->find_tensor("blk.0.attn_qkv.bias"), 0);
  int64_t first = 0;
  for (const auto& [name, rows] : {std::pair("q_proj", 256), std::pair("k_proj", 128), std::pair("v_proj", 128)}) {
    const StoredTensor* part = file.find(std::string("model.layers.0.self_attn.") + name + ".weight");
    const StoredTensor* bias = file.find(std::string("model.layers.0.self_attn.") + name + ".bias");
    ASSERT_TRUE(part != nullptr && bias != nullptr) << name;
    EXPECT_EQ(part->shape, (std::vector<int64_t>{rows, 256}));
    EXPECT_EQ(model_row(*part, 3), gguf_row(*files, whole, first + 3)) << name;
    EXPECT_EQ(model_row(*bias, 0)[5], biases[static_cast<size_t>(first + 5)]) << name;
    first += rows;
  }
  EXPECT_EQ(static_cast<int64_t>(64 * file.config["partial_rotary_factor"].get<double>()), 26);
}

TEST_F(OpenGguf, GemmasNormsLoseTheOneThatTheGraphAdds) {
  TestGguf model;
  model.architecture = "gemma";
  model.write(folder_ / "a.gguf");
  const ModelFile file = opened(folder_ / "a.gguf");
  const auto files = read_gguf_files({folder_ / "a.gguf"});
  const auto stored = gguf_row(*files, *files->find_tensor("output_norm.weight"), 0);
  const auto got = model_row(*file.find("model.norm.weight"), 0);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], stored[i] - 1.0f);
  EXPECT_EQ(file.config["model_type"], "gemma");
  ThreadPool pool(1);
  EXPECT_TRUE(verify_model_file(file, pool, no_progress()).ok());
}

// The tensors of a plan over several files, as llama-gguf-split does it.
void write_split(const fs::path& folder, const GgufPlan& plan, size_t parts) {
  for (size_t part = 0; part < parts; ++part) {
    GgufPlan piece;
    if (part == 0) piece.metadata = plan.metadata;
    piece.metadata.u32("split.no", static_cast<int64_t>(part));
    piece.metadata.u32("split.count", static_cast<int64_t>(parts));
    piece.metadata.u32("split.tensors.count", static_cast<int64_t>(plan.tensors.size()));
    for (size_t i = 0; i < plan.tensors.size(); ++i)
      if (i * parts / plan.tensors.size() == part) piece.tensors.push_back(plan.tensors[i]);
    TestGguf::write_plan(folder / fmt::format("m-{:05}-of-{:05}.gguf", part + 1, parts), piece, part);
  }
}

TEST_F(OpenGguf, SplitModelsAreOneModel) {
  write_split(folder_.path(), TestGguf().plan(), 3);
  const ModelFile file = opened(folder_ / "m-00002-of-00003.gguf");
  EXPECT_EQ(file.tensors.size(), TestGguf().plan().tensors.size());
  EXPECT_EQ(opened(folder_.path()).import->cache, file.import->cache);
  fs::rename(folder_ / "m-00002-of-00003.gguf", folder_ / "x");
  fs::rename(folder_ / "m-00003-of-00003.gguf", folder_ / "m-00002-of-00003.gguf");
  fs::rename(folder_ / "x", folder_ / "m-00003-of-00003.gguf");
  EXPECT_TRUE(contains(message(folder_.path()), "expected part 2 of 3")) << message(folder_.path());
  fs::remove(folder_ / "m-00003-of-00003.gguf");
  EXPECT_TRUE(contains(message(folder_.path()), "got no m-00003-of-00003.gguf")) << message(folder_.path());
}

TEST_F(OpenGguf, AFolderWithOneModelIsThatModel) {
  TestGguf().write(folder_ / "a.gguf");
  write_text(folder_ / "mmproj-a.gguf", "a picture encoder");
  EXPECT_EQ(worst_difference(opened(folder_.path()), folder_ / "a.gguf"), 0);
  TestGguf().write(folder_ / "b.gguf");
  EXPECT_TRUE(contains(message(folder_.path()), "a.gguf, b.gguf")) << message(folder_.path());
}

}  // namespace
}  // namespace halftone
