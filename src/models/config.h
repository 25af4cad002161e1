// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

struct RopeConfig {
  double theta = 10000;
  std::string scaling;  // "", "linear", "llama3", ...
  double factor = 1, low_frequency_factor = 1, high_frequency_factor = 1;
  int64_t original_context = 0;
  double partial = 1;   // fraction of head_dim that rotates
};

// config.json, checked: every value in range, divisibility, unknown families named with the known ones.
struct ModelConfig {
  std::string family;      // "llama", "mistral", "qwen2", "qwen3", ...: a row of families.cc
  std::string model_type;  // as written in the file
  int64_t hidden = 0, intermediate = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, vocabulary = 0, context = 0;
  int64_t window = 0;      // sliding window, 0: none
  float norm_epsilon = 1e-5f;
  RopeConfig rope;
  bool tied_embedding = false, attention_bias = false, qk_norm = false;
  int64_t bos = -1;
  std::vector<int64_t> eos;
};

Result<ModelConfig> parse_config(const nlohmann::json& config, std::string_view file);

}  // namespace halftone
