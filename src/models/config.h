// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

struct RopeConfig {
  double theta = 10000;
  std::string scaling;  // "", "linear" or "llama3"
  double factor = 1, low_frequency_factor = 1, high_frequency_factor = 1;
  int64_t original_context = 0;
  double partial = 1;  // fraction of head_dim that rotates
};

// config.json, checked: every value in range, divisibility, unknown families named with the known ones.
struct ModelConfig {
  std::string family;      // "llama", "mistral", "qwen2", "qwen3", ...: a row of families.cc
  std::string model_type;  // as written in the file
  int64_t hidden = 0, intermediate = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, vocabulary = 0, context = 0;
  int64_t window = 0;             // sliding window, 0: none
  int64_t window_from_layer = 0;  // layers before it see everything
  float norm_epsilon = 1e-5f;
  RopeConfig rope;
  bool tied_embedding = false, qk_norm = false;
  bool attention_bias = false, output_bias = false, mlp_bias = false;  // of q, k, v; of o; of gate, up, down
  int64_t bos = -1;
  std::vector<int64_t> eos;

  int64_t window_of(int64_t layer) const { return layer >= window_from_layer ? window : 0; }
  int64_t rotary() const { return static_cast<int64_t>(static_cast<double>(head_dim) * rope.partial); }
};

// `file` stands for the file in messages.
Result<ModelConfig> parse_config(const nlohmann::json& config, std::string_view file);

// One inverse frequency per pair of rotating columns, as Hugging Face transformers computes them.
std::vector<float> rope_frequencies(const RopeConfig& rope, int64_t rotary);

}  // namespace halftone
