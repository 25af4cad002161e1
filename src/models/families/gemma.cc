// SPDX-License-Identifier: Apache-2.0
// Gemma 1, 2 and 3 (text): Llama with GeGLU, norms that multiply by 1 + weight, and embeddings scaled by the root of
// their width. Gemma 2 adds norms behind attention and feed-forward, soft caps and a window on every other layer; Gemma
// 3 has norms on queries and keys instead of caps, five windowed layers of six, and a rope base of their own.
#include <cmath>

#include "base/error.h"
#include "models/families/decoder.h"
#include "models/families/family.h"
#include "models/families/window.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr double kMostCap = 1e6;

// The scale is rounded to the type that the checkpoint names, in which Hugging Face transformers loads it; every
// published Gemma names bfloat16.
float embedding_scale(JsonReader& reader, int64_t hidden) {
  const auto root = static_cast<float>(std::sqrt(static_cast<double>(hidden)));
  const std::string type = reader.text("torch_dtype", reader.text("dtype", "bfloat16"));
  if (type == "float32") return root;
  return type == "float16" ? rounded_to_f16(root) : bf16_to_f32(f32_to_bf16(root));
}

void configure_gemma(JsonReader& reader, ModelConfig& config) {
  config.norm_offset = 1;
  config.embedding_scale = embedding_scale(reader, config.hidden);
  config.attention_bias = config.output_bias = reader.boolean("attention_bias", false);
}

void read_query_scalar(JsonReader& reader, ModelConfig& config) {
  config.query_scalar = reader.number("query_pre_attn_scalar", 1e-3, 1e6, 256);
}

void configure_gemma2(JsonReader& reader, ModelConfig& config) {
  configure_gemma(reader, config);
  read_query_scalar(reader, config);
  config.four_norms = true;
  config.attention_soft_cap = static_cast<float>(reader.number("attn_logit_softcapping", 1e-3, kMostCap, 0));
  config.logit_soft_cap = static_cast<float>(reader.number("final_logit_softcapping", 1e-3, kMostCap, 0));
  std::vector<bool> windowed;
  for (int64_t layer = 0; layer < config.layers; ++layer) windowed.push_back(layer % 2 == 0);
  read_window(reader, std::move(windowed), config);
}

void configure_gemma3(JsonReader& reader, ModelConfig& config) {
  configure_gemma(reader, config);
  read_query_scalar(reader, config);
  config.four_norms = config.qk_norm = true;
  config.logit_soft_cap = static_cast<float>(reader.number("final_logit_softcapping", 1e-3, kMostCap, 0));
  if (reader.has("attn_logit_softcapping")) {
    return reader.fail("attn_logit_softcapping", "null, as in every Gemma 3", "a number");
  }
  if (reader.boolean("use_bidirectional_attention", false)) {
    return reader.fail("use_bidirectional_attention", "false, as text generation needs", "true");
  }
  config.window_theta =
      reader.number("rope_local_base_freq", 1, 1e12, config.window_theta > 0 ? config.window_theta : 10000);
  const int64_t pattern =
      reader.integer("sliding_window_pattern", 1, 1 << 12, reader.integer("_sliding_window_pattern", 1, 1 << 12, 6));
  std::vector<bool> windowed;
  for (int64_t layer = 0; layer < config.layers; ++layer) windowed.push_back((layer + 1) % pattern != 0);
  read_window(reader, std::move(windowed), config);
}

constexpr CommonKeys kGemmaKeys = {.activation = Activation::gelu_tanh,
                                   .activation_names = {"gelu_pytorch_tanh", "gelu_new", "gelu_fast"},
                                   .head_dim = 256,
                                   .tied_embedding = true};
// The first config.json of Gemma 1 says "gelu" and means its tanh form.
constexpr CommonKeys kGemma1Keys = {.activation = Activation::gelu_tanh,
                                    .activation_names = {"gelu_pytorch_tanh", "gelu_new", "gelu_fast", "gelu"},
                                    .head_dim = 256,
                                    .tied_embedding = true};

}  // namespace

const Family kGemma = {"gemma", configure_gemma, build_decoder, kGemma1Keys};
const Family kGemma2 = {"gemma2", configure_gemma2, build_decoder, kGemmaKeys};
const Family kGemma3 = {"gemma3", configure_gemma3, build_decoder, kGemmaKeys};

}  // namespace halftone
