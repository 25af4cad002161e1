// SPDX-License-Identifier: Apache-2.0
// Mistral 7B and its kind: Llama with a sliding window on every layer where the config sets one (v0.1; null since
// v0.2).
#include "models/families/decoder.h"
#include "models/families/family.h"
#include "models/families/window.h"

namespace halftone {
namespace {

void configure_mistral(JsonReader& reader, ModelConfig& config) {
  if (reader.has("sliding_window")) read_window(reader, {}, config);
}

}  // namespace

const Family kMistral = {"mistral", configure_mistral, build_decoder};

}  // namespace halftone
