// SPDX-License-Identifier: Apache-2.0
// What a family gives to the table in families.cc. Adding one: docs/adding/family.md.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "graph/graph.h"
#include "halftone/status.h"
#include "models/config.h"
#include "models/json_reader.h"

namespace halftone {

// Where config.json differs between families in the keys that all of them have.
struct CommonKeys {
  std::string_view norm_epsilon = "rms_norm_eps";
  Activation activation = Activation::silu;
  // Values of "hidden_activation", or where that is missing of "hidden_act", that mean it; the first stands in
  // messages.
  std::array<std::string_view, 4> activation_names = {"silu", "swish"};
  int64_t head_dim = 0;         // when the file does not say; 0: hidden_size / num_attention_heads
  double partial_rotary = 1;    // when the file does not say
  bool tied_embedding = false;  // when the file does not say
};

struct Family {
  std::string_view name;
  // Reads what config.json says beyond the common keys. Problems go to the reader.
  void (*configure)(JsonReader& reader, ModelConfig& config);
  Result<Graph> (*build)(const ModelConfig& config);
  CommonKeys keys = {};
};

// A value of "model_type" and the family that reads it; an alias is one more row.
struct ModelType {
  std::string_view name;
  const Family* family;
};
std::span<const ModelType> all_model_types();

extern const Family kLlama, kMistral, kQwen2, kQwen3, kPhi, kPhi3, kGemma, kGemma2, kGemma3;

}  // namespace halftone
