// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

struct RopeConfig {
  // Whether longrope's factors do not depend on a text's length and nothing else is scaled: Llama 3's files in GGUF.
  bool same_at_every_length() const { return magnitude == 1 && short_factors == long_factors; }

  double theta = 10000;
  std::string scaling;  // "", "linear", "llama3" or "longrope"
  double factor = 1, low_frequency_factor = 1, high_frequency_factor = 1;
  int64_t original_context = 0;
  double partial = 1;  // fraction of head_dim that rotates
  // longrope: divisors of the frequencies, up to original_context tokens and beyond; and what multiplies cos and sin.
  std::vector<double> short_factors, long_factors;
  double magnitude = 1;
};

enum class Activation : uint8_t { silu, gelu_tanh };

// config.json, checked: every value in range, divisibility, unknown families named with the known ones.
struct ModelConfig {
  std::string family;      // "llama", "mistral", "qwen2", "qwen3", ...: a row of families.cc
  std::string model_type;  // as written in the file
  int64_t hidden = 0, intermediate = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, vocabulary = 0, context = 0;
  int64_t window = 0;          // sliding window, 0: none
  std::vector<bool> windowed;  // which layers have it; empty: all
  float norm_epsilon = 1e-5f;
  RopeConfig rope;
  bool tied_embedding = false, qk_norm = false;
  bool attention_bias = false, output_bias = false, mlp_bias = false;  // of q, k, v; of o; of gate, up, down
  // What Phi and Gemma do otherwise; the defaults are Llama's.
  Activation activation = Activation::silu;
  bool fused_projections = false;  // qkv_proj, and gate_up_proj
  bool four_norms = false;         // norms behind attention and feed-forward, too
  float norm_offset = 0;           // norms multiply by this + the stored weight
  float embedding_scale = 1;
  double query_scalar = 0;                           // scores are divided by its root; 0: head_dim
  float attention_soft_cap = 0, logit_soft_cap = 0;  // 0: none
  double window_theta = 0;                           // rope base of windowed layers, without scaling; 0: as all layers
  int64_t bos = -1;
  std::vector<int64_t> eos;

  bool is_windowed(int64_t layer) const { return windowed.empty() || windowed[static_cast<size_t>(layer)]; }
  int64_t window_of(int64_t layer) const { return is_windowed(layer) ? window : 0; }
  int64_t rotary() const { return static_cast<int64_t>(static_cast<double>(head_dim) * rope.partial); }
};

// `file` stands for the file in messages.
Result<ModelConfig> parse_config(const nlohmann::json& config, std::string_view file);

// One inverse frequency per pair of rotating columns, as Hugging Face transformers computes them. `beyond`: of a text
// longer than original_context, which longrope treats otherwise.
std::vector<float> rope_frequencies(const RopeConfig& rope, int64_t rotary, bool beyond = false);

}  // namespace halftone
