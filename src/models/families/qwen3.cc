// SPDX-License-Identifier: Apache-2.0
// Qwen 3 (dense): Llama with a norm on every query and key head and a head size of its own.
#include "models/families/decoder.h"
#include "models/families/family.h"
#include "models/families/window.h"

namespace halftone {
namespace {

void configure_qwen3(JsonReader& reader, ModelConfig& config) {
  config.qk_norm = true;
  config.attention_bias = config.output_bias = reader.boolean("attention_bias", false);
  read_switched_window(reader, config);
}

}  // namespace

const Family kQwen3 = {"qwen3", configure_qwen3, build_decoder, {.head_dim = 128}};

}  // namespace halftone
