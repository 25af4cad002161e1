// SPDX-License-Identifier: Apache-2.0
#include "models/config.h"

#include <gtest/gtest.h>

#include <cmath>
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

Json phi() {
  Json json = llama();
  json["model_type"] = "phi";
  json.erase("rms_norm_eps");
  json.update(Json::parse(R"({"layer_norm_eps": 1e-6, "hidden_act": "gelu_new", "head_dim": 20,
                              "partial_rotary_factor": 0.4})"));
  return json;
}

TEST(Config, Phi) {
  const ModelConfig config = parsed(phi());
  EXPECT_EQ(config.activation, Activation::gelu_tanh);
  EXPECT_FLOAT_EQ(config.norm_epsilon, 1e-6f);
  EXPECT_EQ(config.rotary(), 8);
  EXPECT_TRUE(config.attention_bias && config.output_bias && config.mlp_bias);
  Json json = phi();
  json.erase("partial_rotary_factor");
  EXPECT_EQ(parsed(json).rotary(), 10);  // a half, when the file does not say
  json["qk_layernorm"] = true;
  EXPECT_NE(parse_config(json, "c").status().message().find("qk_layernorm: expected false"), std::string::npos);
  json = phi();
  json["hidden_act"] = "gelu";  // the exact form
  EXPECT_NE(parse_config(json, "c").status().message().find("hidden_act: expected gelu_new, got \"gelu\""),
            std::string::npos);
}

Json phi3() {
  Json json = llama();
  json["model_type"] = "phi3";
  json["original_max_position_embeddings"] = 64;
  json["rope_scaling"] =
      Json::parse(R"({"type": "longrope", "short_factor": [1, 1, 1.5, 2], "long_factor": [1, 2, 4, 8]})");
  return json;
}

TEST(Config, Phi3LongAndShortFactors) {
  const ModelConfig config = parsed(phi3());
  EXPECT_TRUE(config.fused_projections);
  EXPECT_EQ(config.rope.original_context, 64);
  EXPECT_DOUBLE_EQ(config.rope.magnitude, std::sqrt(1 + std::log(8.0) / std::log(64.0)));
  const std::vector<float> near = rope_frequencies(config.rope, 8), far = rope_frequencies(config.rope, 8, true);
  EXPECT_FLOAT_EQ(near[2], 0.01f / 1.5f);
  EXPECT_FLOAT_EQ(far[3], 0.001f / 8);
  Json json = phi3();
  json["rope_scaling"]["type"] = "su";  // as the first files called it
  EXPECT_EQ(parsed(json).rope.scaling, "longrope");
  json["max_position_embeddings"] = 64;
  EXPECT_EQ(parsed(json).rope.magnitude, 1);
  json = phi3();
  json["rope_scaling"]["attention_factor"] = 1.25;
  EXPECT_EQ(parsed(json).rope.magnitude, 1.25);
  json["sliding_window"] = 100;
  EXPECT_EQ(parsed(json).window_of(0), 100);
}

TEST(Config, Phi3Faults) {
  const auto message = [](const char* key, const Json& value) {
    Json json = phi3();
    (json.contains(key) || std::string(key).ends_with("bias") ? json : json["rope_scaling"])[key] = value;
    return std::string(parse_config(json, "c").status().message());
  };
  EXPECT_NE(message("long_factor", {1, 2}).find("rope_scaling.long_factor: expected 4 numbers, one per pair"),
            std::string::npos);
  EXPECT_NE(message("short_factor", {1, 2, 3, "x"}).find("short_factor: expected a list of numbers from"),
            std::string::npos);
  EXPECT_NE(message("short_mscale", 1.1).find("short_mscale: expected no scale apart"), std::string::npos);
  EXPECT_NE(message("attention_bias", true).find("attention_bias: expected false"), std::string::npos);
}

Json gemma(const char* type) {
  Json json = llama();
  json["model_type"] = type;
  json["hidden_activation"] = "gelu_pytorch_tanh";
  json["num_hidden_layers"] = 7;
  return json;
}

TEST(Config, Gemma) {
  Json json = gemma("gemma");
  json["hidden_size"] = 72;
  const ModelConfig config = parsed(json);
  EXPECT_EQ(config.head_dim, 256);
  EXPECT_TRUE(config.tied_embedding);
  EXPECT_EQ(config.norm_offset, 1);
  EXPECT_EQ(config.embedding_scale, 8.5f);  // 8.485 in bfloat16
  json["torch_dtype"] = "float32";
  EXPECT_FLOAT_EQ(parsed(json).embedding_scale, 8.485281f);
  json["torch_dtype"] = "float16";
  EXPECT_EQ(parsed(json).embedding_scale, 8.484375f);
  json.erase("hidden_activation");
  json["hidden_act"] = "gelu";
  EXPECT_EQ(parsed(json).activation, Activation::gelu_tanh);
  json["model_type"] = "gemma2";
  EXPECT_NE(parse_config(json, "c").status().message().find("got \"gelu\""), std::string::npos);
}

TEST(Config, Gemma2) {
  Json json = gemma("gemma2");
  json.update(Json::parse(R"({"sliding_window": 64, "query_pre_attn_scalar": 144, "attn_logit_softcapping": 50.0,
                              "final_logit_softcapping": 30.0})"));
  const ModelConfig config = parsed(json);
  EXPECT_TRUE(config.four_norms);
  EXPECT_FALSE(config.qk_norm);
  EXPECT_EQ(config.query_scalar, 144);
  EXPECT_EQ(config.attention_soft_cap, 50);
  EXPECT_EQ(config.logit_soft_cap, 30);
  EXPECT_EQ(config.window_of(0), 64);
  EXPECT_EQ(config.window_of(1), 0);
  json["attn_logit_softcapping"] = nullptr;
  EXPECT_EQ(parsed(json).attention_soft_cap, 0);
  json["final_logit_softcapping"] = -1;
  EXPECT_NE(parse_config(json, "c").status().message().find("final_logit_softcapping: expected a number"),
            std::string::npos);
}

TEST(Config, Gemma3) {
  Json json = gemma("gemma3_text");
  json.update(Json::parse(R"({"sliding_window": 64, "rope_theta": 1e6, "rope_local_base_freq": 5000,
                              "rope_scaling": {"rope_type": "linear", "factor": 8}})"));
  ModelConfig config = parsed(json);
  EXPECT_EQ(config.family, "gemma3");
  EXPECT_TRUE(config.four_norms && config.qk_norm);
  EXPECT_EQ(config.window_theta, 5000);
  EXPECT_EQ(config.window_of(4), 64);
  EXPECT_EQ(config.window_of(5), 0);  // every sixth sees everything
  json["max_position_embeddings"] = 64;
  config = parsed(json);
  EXPECT_EQ(config.window_of(4), 0);  // holds the whole context, but the layer rotates as a windowed one
  EXPECT_TRUE(config.is_windowed(4));
  // As transformers 5 writes it.
  json.erase("rope_scaling");
  json.erase("rope_local_base_freq");
  json["rope_parameters"] = Json::parse(R"({"full_attention": {"rope_type": "linear", "factor": 4, "rope_theta": 2e6},
                                            "sliding_attention": {"rope_type": "default", "rope_theta": 7000}})");
  config = parsed(json);
  EXPECT_EQ(config.rope.theta, 2e6);
  EXPECT_EQ(config.rope.factor, 4);
  EXPECT_EQ(config.window_theta, 7000);
  json["rope_parameters"]["sliding_attention"]["rope_type"] = "linear";
  EXPECT_NE(parse_config(json, "c").status().message().find("sliding_attention.rope_type: expected default"),
            std::string::npos);
  json = gemma("gemma3_text");
  json["attn_logit_softcapping"] = 50;
  json["sliding_window"] = 64;
  EXPECT_NE(parse_config(json, "c").status().message().find("attn_logit_softcapping: expected null"),
            std::string::npos);
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
    {"model_type", R"("mamba")",
     "config.json: model_type: expected a known family (llama, mistral, qwen2, qwen3, phi, phi3, gemma, gemma2, "
     "gemma3_text), got \"mamba\""},
    {"text_config", "{}", "text_config: expected a model of text alone, got one of text and images"},
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
     "rope_scaling: expected rope_type default, linear, llama3 or longrope, got \"yarn\""},
    {"rope_scaling", R"({"type": "dynamic"})", "got \"dynamic\""},
    {"rope_scaling", R"({"rope_type": "llama3", "factor": 8})", "rope_scaling.low_freq_factor: expected this key"},
    {"rope_scaling",
     R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4, "original_max_position_embeddings": 8})",
     "rope_scaling.high_freq_factor: expected more than low_freq_factor 4, got 4"},
    {"rope_parameters", R"({"full_attention": {}})", "rope_parameters: expected one object for all layers, got one"},
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
  json["sliding_window"] = 16;
  json["use_sliding_window"] = true;
  EXPECT_EQ(parsed(json).windowed, (std::vector<bool>{false, false, true, false, true}));
  EXPECT_EQ(parsed(json).window_of(3), 0);
  EXPECT_EQ(parsed(json).window_of(4), 16);
  json["layer_types"][3] = "chunked_attention";
  EXPECT_NE(parse_config(json, "c").status().message().find(
                "expected full_attention or sliding_attention, got chunked_attention at layer 3"),
            std::string::npos);
  json["use_sliding_window"] = false;
  json["layer_types"] = {"full_attention", "full_attention", "full_attention", "full_attention", "sliding_attention"};
  EXPECT_NE(parse_config(json, "c").status().message().find("no sliding_attention without"), std::string::npos);
}

TEST(Config, TheTopLevelMustBeAnObject) {
  EXPECT_EQ(parse_config(Json::array(), "config.json").status().message(),
            "[config] config.json: top level: expected a JSON object, got []");
}

}  // namespace
}  // namespace halftone
