// SPDX-License-Identifier: Apache-2.0
// Phi-3, Phi-3.5 and Phi-4-mini: Llama with q, k and v in one matrix, gate and up in another. The long-context ones
// rotate with short factors up to original_max_position_embeddings tokens and with long ones beyond (longrope,
// config.cc).
#include "models/families/decoder.h"
#include "models/families/family.h"
#include "models/families/window.h"

namespace halftone {
namespace {

void configure_phi3(JsonReader& reader, ModelConfig& config) {
  config.fused_projections = true;
  for (const char* key : {"attention_bias", "mlp_bias", "lm_head_bias"}) {
    if (reader.boolean(key, false)) reader.fail(key, "false, as in every published Phi-3 and Phi-4-mini", "true");
  }
  for (const char* key : {"full_attn_mod", "interpolate_factor"}) (void)reader.integer(key, 1, 1, 1);
  if (reader.has("sliding_window")) read_window(reader, {}, config);
}

}  // namespace

const Family kPhi3 = {"phi3", configure_phi3, build_decoder};

}  // namespace halftone
