// SPDX-License-Identifier: Apache-2.0
// Qwen 2 and 2.5: Llama with biases on q, k and v.
#include "models/families/decoder.h"
#include "models/families/family.h"
#include "models/families/window.h"

namespace halftone {
namespace {

void configure_qwen2(JsonReader& reader, ModelConfig& config) {
  config.attention_bias = true;
  read_switched_window(reader, config);
}

}  // namespace

const Family kQwen2 = {"qwen2", configure_qwen2, build_decoder};

}  // namespace halftone
