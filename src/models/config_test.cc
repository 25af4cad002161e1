// SPDX-License-Identifier: Apache-2.0
#include "models/config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace halftone {
namespace {

using Json = nlohmann::json;

Json llama() {
  return Json::parse(R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 5,
      "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 512, "rms_norm_eps": 1e-5, "max_position_embeddings": 512,
      "bos_token_id": 1, "eos_token_id": [2, 3]})");
}

ModelConfig parsed(const Json& json) {
  const auto config = parse_config(json, "config.json");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return config.ok() ? *config : ModelConfig{};
}

TEST(Config, LlamaAndItsDefaults) {
  const ModelConfig config = parsed(llama());
  EXPECT_EQ(config.family, "llama");
  EXPECT_EQ(config.hidden, 64);
  EXPECT_EQ(config.intermediate, 172);
  EXPECT_EQ(config.layers, 5);
  EXPECT_EQ(config.heads, 8);
  EXPECT_EQ(config.kv_heads, 4);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.vocabulary, 512);
  EXPECT_EQ(config.context, 512);
  EXPECT_FLOAT_EQ(config.norm_epsilon, 1e-5f);
  EXPECT_EQ(config.rope.theta, 10000);
  EXPECT_EQ(config.rope.scaling, "");
  EXPECT_EQ(config.rotary(), 8);
  EXPECT_FALSE(config.tied_embedding || config.attention_bias || config.output_bias || config.mlp_bias ||
               config.qk_norm);
  EXPECT_EQ(config.bos, 1);
  EXPECT_EQ(config.eos, (std::vector<int64_t>{2, 3}));
}

TEST(Config, HeadsWithoutGroupsAndBiases) {
  Json json = llama();
  json.erase("num_key_value_heads");
  json["attention_bias"] = json["mlp_bias"] = json["tie_word_embeddings"] = true;
  json["head_dim"] = 32;
  json["eos_token_id"] = 7;
  json["bos_token_id"] = nullptr;
  json["hidden_size"] = 64.0;  // as some writers print it
  const ModelConfig config = parsed(json);
  EXPECT_EQ(config.kv_heads, 8);
  EXPECT_EQ(config.head_dim, 32);
  EXPECT_TRUE(config.tied_embedding && config.attention_bias && config.output_bias && config.mlp_bias);
  EXPECT_EQ(config.eos, (std::vector<int64_t>{7}));
  EXPECT_EQ(config.bos, -1);
}

TEST(Config, RopeScalingInEveryForm) {
  Json json = llama();
  json["rope_scaling"] = Json::parse(R"({"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                         "original_max_position_embeddings": 8192, "rope_type": "llama3"})");
  EXPECT_EQ(parsed(json).rope.scaling, "llama3");
  EXPECT_EQ(parsed(json).rope.original_context, 8192);
  json["rope_scaling"]["type"] = "llama3";
  json["rope_scaling"].erase("rope_type");
  EXPECT_EQ(parsed(json).rope.scaling, "llama3");
  json["rope_scaling"] = Json::parse(R"({"type": "linear", "factor": 4.0})");
  EXPECT_EQ(parsed(json).rope.factor, 4);
  json["rope_scaling"] = Json::parse(R"({"rope_type": "default"})");
  EXPECT_EQ(parsed(json).rope.scaling, "");
  json.erase("rope_scaling");
  json["rope_parameters"] = Json::parse(R"({"rope_type": "default", "rope_theta": 5e5})");
  EXPECT_EQ(parsed(json).rope.theta, 5e5);
}

TEST(Config, MistralWindow) {
  Json json = llama();
  json["model_type"] = "mistral";
  EXPECT_EQ(parsed(json).window, 0);
  json["sliding_window"] = 128;
  EXPECT_EQ(parsed(json).window_of(0), 128);
  EXPECT_EQ(parsed(json).window_of(4), 128);
  json["sliding_window"] = 512;  // the whole context
  EXPECT_EQ(parsed(json).window, 0);
  json["sliding_window"] = nullptr;
  EXPECT_EQ(parsed(json).window, 0);
}

TEST(Config, QwenWindowCountsOnlyWhenSwitchedOn) {
  Json json = llama();
  json["model_type"] = "qwen2";
  json["sliding_window"] = 128;
  json["use_sliding_window"] = false;
  json["max_window_layers"] = 2;
  EXPECT_EQ(parsed(json).window, 0);
  EXPECT_TRUE(parsed(json).attention_bias);
  EXPECT_FALSE(parsed(json).output_bias);
  json["use_sliding_window"] = true;
  const ModelConfig config = parsed(json);
  EXPECT_EQ(config.window_of(1), 0);
  EXPECT_EQ(config.window_of(2), 128);
  json["layer_types"] = {"full_attention", "full_attention", "full_attention", "sliding_attention",
                         "sliding_attention"};
  EXPECT_EQ(parsed(json).window_of(2), 0);
  EXPECT_EQ(parsed(json).window_of(3), 128);
}

TEST(Config, Qwen3) {
  Json json = llama();
  json["model_type"] = "qwen3";
  const ModelConfig config = parsed(json);
  EXPECT_TRUE(config.qk_norm);
  EXPECT_FALSE(config.attention_bias);
  EXPECT_EQ(config.head_dim, 128);  // not hidden / heads
  json["head_dim"] = 16;
  EXPECT_EQ(parsed(json).head_dim, 16);
}

// Computed with float32 numpy from the formula in the Llama 3.1 model card, apart from this code.
TEST(Rope, Llama3Frequencies) {
  RopeConfig rope;
  rope.theta = 500000;
  rope.scaling = "llama3";
  rope.factor = 8;
  rope.low_frequency_factor = 1;
  rope.high_frequency_factor = 4;
  rope.original_context = 8192;
  const std::vector<float> frequencies = rope_frequencies(rope, 128);
  ASSERT_EQ(frequencies.size(), 64u);
  const std::vector<std::pair<size_t, double>> expected = {{0, 1.0},
                                                           {1, 0.8146172165870667},
                                                           {20, 0.016560440883040428},
                                                           {28, 0.0032114461064338684},
                                                           {29, 0.0021665706299245358},
                                                           {30, 0.0013718936825171113},
                                                           {31, 0.0008567514596506953},
                                                           {33, 0.0003126936499029398},
                                                           {35, 9.556212899042293e-05},
                                                           {36, 7.784655463183299e-05},
                                                           {40, 3.428102354519069e-05},
                                                           {63, 3.068925877869333e-07}};
  for (const auto& [i, value] : expected) EXPECT_NEAR(frequencies[i] / value, 1, 2e-6) << i;
  rope.factor = 32;
  const std::vector<float> small = rope_frequencies(rope, 64);
  EXPECT_NEAR(small[15] / 0.0012905480107292533, 1, 2e-6);
  EXPECT_NEAR(small[17] / 9.708286233944818e-05, 1, 2e-6);
  EXPECT_NEAR(small[31] / 9.41830720080361e-08, 1, 2e-6);
}

TEST(Rope, PlainAndLinear) {
  RopeConfig rope;
  const std::vector<float> expected = {1.0f, 0.1f, 0.01f, 0.001f};
  for (size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(rope_frequencies(rope, 8)[i], expected[i]);
  rope.scaling = "linear";
  rope.factor = 4;
  for (size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(rope_frequencies(rope, 8)[i], expected[i] / 4);
}

struct Fault {
  std::string key, value, message;
};

const Fault kFaults[] = {
    {"model_type", R"("phi")",
     "config.json: model_type: expected a known family (llama, mistral, qwen2, qwen3), got \"phi\""},
    {"model_type", "7", "model_type: expected a string, got 7"},
    {"model_type", "null", "expected a known family"},
    {"hidden_size", "null", "hidden_size: expected this key, got none"},
    {"hidden_size", "0", "hidden_size: expected a whole number from 1 to 1048576, got 0"},
    {"hidden_size", "64.5", "hidden_size: expected a whole number"},
    {"hidden_size", R"("64")", "hidden_size: expected a whole number from 1 to 1048576, got \"64\""},
    {"hidden_size", "65", "hidden_size: expected a multiple of num_attention_heads 8, got 65"},
    {"hidden_size", "18446744073709551615", "hidden_size: expected a whole number"},
    {"hidden_size", "-9223372036854775808", "hidden_size: expected a whole number"},
    {"hidden_size", "1e300", "hidden_size: expected a whole number"},
    {"num_hidden_layers", "100000", "num_hidden_layers: expected a whole number from 1 to 4096"},
    {"num_key_value_heads", "3", "num_attention_heads: expected a multiple of num_key_value_heads 3, got 8"},
    {"head_dim", "7", "head_dim: expected an even number, got 7"},
    {"head_dim", "1000000", "head_dim: expected at most 1048576 columns in 8 heads, got 1000000"},
    {"vocab_size", "[1]", "vocab_size: expected a whole number from 1 to 16777216, got [1]"},
    {"rms_norm_eps", "-1", "rms_norm_eps: expected a number from 0 to 1, got -1"},
    {"max_position_embeddings", "0", "max_position_embeddings: expected a whole number"},
    {"hidden_act", R"("gelu")", "hidden_act: expected silu, got \"gelu\""},
    {"tie_word_embeddings", "1", "tie_word_embeddings: expected true or false, got 1"},
    {"eos_token_id", "512", "eos_token_id: expected whole numbers from 0 to 511, got 512"},
    {"eos_token_id", "[1, \"x\"]", "eos_token_id: expected whole numbers"},
    {"bos_token_id", "-5", "bos_token_id: expected whole numbers"},
    {"rope_theta", "0", "rope_theta: expected a number from 1"},
    {"rope_scaling", R"({"rope_type": "yarn", "factor": 4})",
     "rope_scaling: expected rope_type default, linear or llama3, got \"yarn\""},
    {"rope_scaling", R"({"type": "dynamic"})", "got \"dynamic\""},
    {"rope_scaling", R"({"rope_type": "llama3", "factor": 8})", "rope_scaling.low_freq_factor: expected this key"},
    {"rope_scaling",
     R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4, "original_max_position_embeddings": 8})",
     "rope_scaling.high_freq_factor: expected more than low_freq_factor 4, got 4"},
    {"rope_scaling", R"("linear")", "rope_scaling: expected a JSON object, got \"linear\""},
    {"rope_scaling", R"({"rope_type": "linear", "factor": 0.5})", "rope_scaling.factor: expected a number from 1"},
    {"partial_rotary_factor", "0.1", "partial_rotary_factor: expected an even part of head_dim 8, got 0.1"},
    {"quantization_config", R"({"quant_method": "gptq"})",
     "quantization_config: expected weights stored as f32, f16 or bf16"},
    {"quantization", R"({"bits": 4})", "quantization: expected weights stored as"},
};

TEST(Config, FaultsNameFileAndKey) {
  for (const Fault& fault : kFaults) {
    Json json = llama();
    json[fault.key] = Json::parse(fault.value);
    const auto config = parse_config(json, "config.json");
    ASSERT_FALSE(config.ok()) << fault.key << " " << fault.value;
    EXPECT_NE(config.status().message().find(fault.message), std::string::npos) << config.status().message();
    EXPECT_NE(config.status().message().find("config.json: "), std::string::npos) << config.status().message();
  }
}

TEST(Config, LayerTypesMustFitTheWindow) {
  Json json = llama();
  json["model_type"] = "qwen3";
  json["layer_types"] = {"full_attention"};
  EXPECT_NE(parse_config(json, "c").status().message().find("layer_types: expected 5 entries, got 1"),
            std::string::npos);
  json["layer_types"] = {"full_attention", "full_attention", "sliding_attention", "full_attention",
                         "sliding_attention"};
  EXPECT_NE(parse_config(json, "c").status().message().find("got full_attention at layer 3"), std::string::npos);
  json["layer_types"] = {"full_attention", "full_attention", "full_attention", "full_attention", "sliding_attention"};
  EXPECT_NE(parse_config(json, "c").status().message().find("no sliding_attention without"), std::string::npos);
}

TEST(Config, TheTopLevelMustBeAnObject) {
  EXPECT_EQ(parse_config(Json::array(), "config.json").status().message(),
            "[config] config.json: top level: expected a JSON object, got []");
}

}  // namespace
}  // namespace halftone
