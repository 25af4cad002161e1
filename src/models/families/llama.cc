// SPDX-License-Identifier: Apache-2.0
// Llama 2, 3, 3.1, 3.2 (text) and everything that calls itself "llama".
#include "models/families/decoder.h"
#include "models/families/family.h"

namespace halftone {
namespace {

void configure_llama(JsonReader& reader, ModelConfig& config) {
  config.attention_bias = config.output_bias = reader.boolean("attention_bias", false);
  config.mlp_bias = reader.boolean("mlp_bias", false);
}

}  // namespace

const Family kLlama = {"llama", configure_llama, build_decoder};

}  // namespace halftone
