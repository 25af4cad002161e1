// SPDX-License-Identifier: Apache-2.0
// What each family becomes in GGUF: architecture, metadata, norms with their one, fused matrices, rope factors; and
// what llama.cpp could not compute is refused.
#include "export/architecture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file_map.h"
#include "base/temp_folder.h"
#include "export/export.h"
#include "formats/gguf/gguf.h"
#include "models/synth.h"

namespace halftone {
namespace {

using Json = nlohmann::json;

Json tiny_config(std::string_view name) {
  for (const SynthShape& shape : synth_shapes()) {
    if (shape.name == name) return Json::parse(shape.config);
  }
  ADD_FAILURE() << name;
  return {};
}

class ExportFamily : public testing::Test {
 protected:
  void synthesize(const Json& config) {
    const auto report = synth_from_config(config, folder_ / "m", {.type = DType::f16, .replace = true});
    ASSERT_TRUE(report.ok()) << report.status().message();
    auto model = load_language_model(folder_ / "m");
    ASSERT_TRUE(model.ok()) << model.status().message();
    model_ = *model;
  }
  Result<ExportReport> exported() {
    ExportOptions options;
    options.tokenizer = ExportTokenizer::stand_in;
    options.replace = true;
    return export_gguf(*model_, folder_ / "m.gguf", options, pool_);
  }
  void write(const Json& config) {
    synthesize(config);
    auto report = exported();
    ASSERT_TRUE(report.ok()) << report.status().message();
    report_ = *report;
    map_ = FileMap::open(folder_ / "m.gguf").value();
    auto header = parse_gguf(map_->bytes(), "m.gguf");
    ASSERT_TRUE(header.ok()) << header.status().message();
    header_ = *header;
  }
  std::string refusal(const Json& config) {
    synthesize(config);
    const auto report = exported();
    return report.ok() ? "accepted" : std::string(report.status().message());
  }
  double number(std::string_view key) const {
    const GgufEntry* entry = header_.find(key);
    if (entry == nullptr) return -1;
    const auto* whole = std::get_if<uint64_t>(&entry->value);
    return whole != nullptr ? static_cast<double>(*whole) : std::get<double>(entry->value);
  }
  std::vector<float> stored(std::string_view name) const {
    const GgufTensor* tensor = header_.find_tensor(name);
    if (tensor == nullptr) return {};
    std::vector<float> out(static_cast<size_t>(tensor->shape.back()));
    tensor->type->decode_row(map_->bytes().data() + tensor->begin, tensor->shape.back(), out.data());
    return out;
  }
  std::vector<float> source(std::string_view name) const {
    const StoredTensor* tensor = model_->file.find(name);
    std::vector<float> out(static_cast<size_t>(tensor->shape.back()));
    decode_row(tensor->view(), 0, out.data());
    return out;
  }

  TempFolder folder_;
  ThreadPool pool_{1};
  std::shared_ptr<const LanguageModel> model_;
  ExportReport report_;
  std::shared_ptr<const FileMap> map_;
  GgufHeader header_;
};

TEST_F(ExportFamily, Phi2) {
  write(tiny_config("tiny-phi"));
  EXPECT_EQ(report_.architecture, "phi2");
  EXPECT_NEAR(number("phi2.attention.layer_norm_epsilon"), 1e-5, 1e-10);
  EXPECT_EQ(number("phi2.rope.dimension_count"), 12);
  for (const auto& [name, from] : {std::pair("output.bias", "lm_head.bias"),
                                   {"output_norm.bias", "model.final_layernorm.bias"},
                                   {"blk.1.attn_norm.bias", "model.layers.1.input_layernorm.bias"},
                                   {"blk.1.attn_k.weight", "model.layers.1.self_attn.k_proj.weight"},
                                   {"blk.0.attn_output.bias", "model.layers.0.self_attn.dense.bias"},
                                   {"blk.0.ffn_up.weight", "model.layers.0.mlp.fc1.weight"},
                                   {"blk.1.ffn_down.bias", "model.layers.1.mlp.fc2.bias"}}) {
    EXPECT_EQ(stored(name), source(from)) << name;
  }
}

TEST_F(ExportFamily, Phi3WithItsFactors) {
  write(tiny_config("tiny-phi3"));
  EXPECT_EQ(report_.architecture, "phi3");
  EXPECT_EQ(number("phi3.rope.dimension_count"), 12);
  EXPECT_EQ(number("phi3.rope.scaling.original_context_length"), 32);
  EXPECT_NEAR(number("phi3.rope.scaling.attn_factor"), std::sqrt(1 + std::log(4.0) / std::log(32.0)), 1e-6);
  EXPECT_EQ(number("phi3.attention.sliding_window"), 0);
  EXPECT_EQ(header_.find_tensor("blk.0.attn_qkv.weight")->shape, (std::vector<int64_t>{128, 64}));
  EXPECT_EQ(header_.find_tensor("blk.1.ffn_up.weight")->shape, (std::vector<int64_t>{192, 64}));
  EXPECT_EQ(stored("blk.1.ffn_norm.weight"), source("model.layers.1.post_attention_layernorm.weight"));
  const std::vector<float> long_factors = stored("rope_factors_long.weight"),
                           expected = {1.1f, 1.5f, 2.4f, 3.6f, 4.0f, 4.2f};
  ASSERT_EQ(long_factors.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(long_factors[i] / expected[i], 1, 3e-7);
  EXPECT_NEAR(stored("rope_factors_short.weight")[5], 1.5, 3e-7);
  ASSERT_EQ(report_.notes.empty(), false);
  EXPECT_NE(report_.notes[0].find("llama.cpp takes the long rope factors when it is opened for more than 32 tokens"),
            std::string::npos);
}

TEST_F(ExportFamily, NormsOfGemmaHoldOneMore) {
  for (const auto& [shape, norm, from] :
       {std::tuple("tiny-gemma", "blk.1.ffn_norm.weight", "model.layers.1.post_attention_layernorm.weight"),
        {"tiny-gemma2", "blk.1.post_attention_norm.weight", "model.layers.1.post_attention_layernorm.weight"},
        {"tiny-gemma2", "blk.2.ffn_norm.weight", "model.layers.2.pre_feedforward_layernorm.weight"},
        {"tiny-gemma3", "blk.5.post_ffw_norm.weight", "model.layers.5.post_feedforward_layernorm.weight"},
        {"tiny-gemma3", "blk.6.attn_q_norm.weight", "model.layers.6.self_attn.q_norm.weight"}}) {
    write(tiny_config(shape));
    std::vector<float> expected = source(from);
    for (float& value : expected) value += 1;
    EXPECT_EQ(stored(norm), expected) << shape;
    EXPECT_EQ(header_.find_tensor("output.weight"), nullptr);
  }
}

TEST_F(ExportFamily, MetadataOfGemma) {
  write(tiny_config("tiny-gemma2"));
  EXPECT_EQ(number("gemma2.attn_logit_softcapping"), 2);
  EXPECT_EQ(number("gemma2.final_logit_softcapping"), 0.5);
  EXPECT_EQ(number("gemma2.attention.sliding_window"), 16);
  EXPECT_EQ(number("gemma2.context_length"), 128);
  EXPECT_EQ(number("gemma2.attention.key_length"), 32);
  write(tiny_config("tiny-gemma3"));
  EXPECT_EQ(number("gemma3.rope.freq_base"), 1e6);
  EXPECT_EQ(number("gemma3.rope.freq_base_swa"), 1e4);
  EXPECT_EQ(number("gemma3.rope.scaling.factor"), 8);
  EXPECT_EQ(header_.text("gemma3.rope.scaling.type"), "linear");
}

TEST_F(ExportFamily, RefusesWhatLlamaCppWouldComputeOtherwise) {
  Json json = tiny_config("tiny-gemma2");
  json["query_pre_attn_scalar"] = 144;
  EXPECT_NE(refusal(json).find("query_pre_attn_scalar: expected 32, got 144; GGUF cannot say it for gemma2"),
            std::string::npos);
  json = tiny_config("tiny-gemma2");
  json["final_logit_softcapping"] = nullptr;
  EXPECT_NE(refusal(json).find("soft caps: expected both"), std::string::npos);
  json = tiny_config("tiny-gemma3");
  json["sliding_window_pattern"] = 3;
  EXPECT_NE(refusal(json).find("layer 2: expected a sliding window, got full attention"), std::string::npos);
  json = tiny_config("tiny");
  json["rope_scaling"] = {
      {"type", "longrope"}, {"short_factor", {1, 1, 1, 1, 1, 1, 1, 1}}, {"long_factor", {1, 1, 1, 1, 1, 1, 1, 2}}};
  EXPECT_NE(refusal(json).find("rope_scaling: expected another kind, got longrope; GGUF cannot say it for llama"),
            std::string::npos);
}

}  // namespace
}  // namespace halftone
