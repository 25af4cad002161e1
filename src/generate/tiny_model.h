// SPDX-License-Identifier: Apache-2.0
// For tests only: a random decoder small enough to run in milliseconds, as a folder.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "base/rng.h"
#include "formats/test_files.h"

namespace halftone {

inline constexpr int64_t kTinyVocabulary = 64, kTinyContext = 48;

inline void write_tiny_model(const std::filesystem::path& folder, DType type = DType::f32) {
  constexpr int64_t kHidden = 32, kFfn = 48, kHeads = 2, kKvHeads = 1, kHeadDim = 16;
  Rng rng(42);
  std::vector<TestTensor> tensors;
  const auto matrix = [&](const std::string& name, int64_t rows, int64_t columns) {
    std::vector<float> values(static_cast<size_t>(rows * columns));
    for (float& value : values) value = static_cast<float>(2 * rng.normal() / std::sqrt(static_cast<double>(columns)));
    tensors.push_back({name + ".weight", type, {rows, columns}, std::move(values)});
  };
  const auto norm = [&](const std::string& name) {
    tensors.push_back({name + ".weight", type, {kHidden}, std::vector<float>(kHidden, 1.0f)});
  };
  matrix("model.embed_tokens", kTinyVocabulary, kHidden);
  for (const char* layer : {"model.layers.0.", "model.layers.1."}) {
    const std::string at = layer;
    norm(at + "input_layernorm");
    matrix(at + "self_attn.q_proj", kHeads * kHeadDim, kHidden);
    matrix(at + "self_attn.k_proj", kKvHeads * kHeadDim, kHidden);
    matrix(at + "self_attn.v_proj", kKvHeads * kHeadDim, kHidden);
    matrix(at + "self_attn.o_proj", kHidden, kHeads * kHeadDim);
    norm(at + "post_attention_layernorm");
    matrix(at + "mlp.gate_proj", kFfn, kHidden);
    matrix(at + "mlp.up_proj", kFfn, kHidden);
    matrix(at + "mlp.down_proj", kHidden, kFfn);
  }
  norm("model.norm");
  std::filesystem::create_directories(folder);
  write_text(folder / "config.json",
             R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32,
    "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 64,
    "max_position_embeddings": 48, "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "hidden_act": "silu"})");
  write_safetensors(folder / "model.safetensors", tensors);
}

}  // namespace halftone
