// SPDX-License-Identifier: Apache-2.0
#include "models/synth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/hash.h"
#include "base/temp_folder.h"
#include "models/language_model.h"
#include "models/synth/tensors.h"

namespace halftone {
namespace {

using Json = nlohmann::json;

// Parameters of the published models, from their model cards.
TEST(Synth, ShapesHaveTheParametersOfTheirModels) {
  const std::map<std::string, int64_t> published = {
      {"llama-3.2-1b", 1'235'814'400}, {"llama-3.2-3b", 3'212'749'824}, {"llama-3-8b", 8'030'261'248},
      {"llama-2-7b", 6'738'415'616},   {"mistral-7b", 7'248'023'552},   {"phi-4-mini", 3'836'021'760},
      {"phi-2", 2'779'683'840},        {"gemma-2b", 2'506'172'416},     {"qwen2.5-1.5b", 1'543'714'304},
      {"gemma-2-2b", 2'614'341'888},   {"gemma-3-1b", 999'885'952},     {"qwen3-0.6b", 596'049'920},
  };
  int found = 0;
  for (const SynthShape& shape : synth_shapes()) {
    const auto tensors = synth_tensors(Json::parse(shape.config));
    ASSERT_TRUE(tensors.ok()) << shape.name << ": " << tensors.status().message();
    int64_t parameters = 0;
    for (const SynthTensor& tensor : *tensors) parameters += tensor.elements();
    const auto expected = published.find(std::string(shape.name));
    if (expected == published.end()) continue;
    EXPECT_EQ(parameters, expected->second) << shape.name;
    ++found;
  }
  EXPECT_EQ(found, 12);
}

TEST(Synth, TinyLoadsAndItsWeightsHaveTheirScale) {
  TempFolder temp;
  const auto report = synth("tiny", temp / "tiny", {.type = DType::f32});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->tensors, 20);
  EXPECT_EQ(report->bytes, 4 * report->parameters);
  const auto model = load_language_model(temp / "tiny");
  ASSERT_TRUE(model.ok()) << model.status().message();
  ASSERT_NE((*model)->tokenizer, nullptr);
  const StoredTensor* down = (*model)->file.find("model.layers.0.mlp.down_proj.weight");
  const WeightView view = down->view();
  std::vector<float> row(172);
  double sum = 0, squares = 0, largest = 0;
  for (int64_t r = 0; r < 64; ++r) {
    decode_row(view, r, row.data());
    for (const float value : row) {
      sum += value;
      squares += static_cast<double>(value) * value;
      largest = std::max(largest, std::abs(static_cast<double>(value)));
    }
  }
  const double count = 64.0 * 172, deviation = 1 / std::sqrt(172.0);
  EXPECT_NEAR(sum / count, 0, 5 * deviation / std::sqrt(count));
  EXPECT_NEAR(std::sqrt(squares / count) / deviation, 1, 0.05);
  EXPECT_GT(largest, 3 * deviation);
  EXPECT_LT(largest, 6 * deviation);
}

TEST(Synth, LayersCanBeFewerThanTheShapes) {
  TempFolder temp;
  const auto whole = synth("tiny", temp / "whole", {}), one = synth("tiny", temp / "one", {.layers = 1});
  ASSERT_TRUE(whole.ok() && one.ok());
  EXPECT_LT(one->parameters, whole->parameters);
  const auto model = load_language_model(temp / "one");
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->config.layers, 1);
  EXPECT_FALSE(synth("tiny", temp / "none", {.layers = -1}).ok());
}

TEST(Synth, BytesFollowFromTheSeedAloneNotFromThreads) {
  TempFolder temp;
  const auto hash = [&](const std::string& name, const SynthOptions& options) {
    EXPECT_TRUE(synth("tiny", temp / name, options).ok());
    return *sha256_file(temp / name / "model.safetensors");
  };
  const std::string one = hash("a", {.seed = 3, .threads = 1});
  EXPECT_EQ(one, hash("b", {.seed = 3, .threads = 3}));
  EXPECT_NE(one, hash("c", {.seed = 4, .threads = 1}));
}

TEST(Synth, ElementTypes) {
  TempFolder temp;
  for (const auto& [type, name] :
       {std::pair(DType::bf16, "bfloat16"), std::pair(DType::f16, "float16"), std::pair(DType::f32, "float32")}) {
    ASSERT_TRUE(synth("tiny", temp / name, {.type = type}).ok());
    const auto model = load_language_model(temp / name);
    ASSERT_TRUE(model.ok()) << model.status().message();
    EXPECT_EQ((*model)->file.config["torch_dtype"], name);
    EXPECT_EQ((*model)->file.config["halftone_synth"]["shape"], "tiny");
    EXPECT_EQ((*model)->file.find("model.norm.weight")->layout->name, name_of(type));
  }
  EXPECT_NE(synth("tiny", temp / "i8", {.type = DType::i8})
                .status()
                .message()
                .find("expected element type bf16, f16 or f32, got i8"),
            std::string::npos);
}

TEST(Synth, Faults) {
  TempFolder temp;
  const auto unknown = synth("llama-9b", temp / "x", {});
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.status().message().find("expected a shape (llama-3.2-1b, "), std::string::npos)
      << unknown.status().message();
  ASSERT_TRUE(synth("tiny", temp / "tiny", {}).ok());
  EXPECT_FALSE(synth("tiny", temp / "tiny", {}).ok());  // exists
  EXPECT_TRUE(synth("tiny", temp / "tiny", {.replace = true}).ok());
  EXPECT_FALSE(synth_from_config(Json::parse(R"({"model_type": "mamba"})"), temp / "y", {}).ok());
  EXPECT_FALSE(std::filesystem::exists(temp / "y"));
}

}  // namespace
}  // namespace halftone
