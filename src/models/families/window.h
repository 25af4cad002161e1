// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "models/config.h"
#include "models/json_reader.h"

namespace halftone {

// "sliding_window" on the layers that `windowed` says (empty: all), or "layer_types" where the file has it.
void read_window(JsonReader& reader, std::vector<bool> windowed, ModelConfig& config);
// Qwen: the window counts only where "use_sliding_window" is true, from layer "max_window_layers" on.
void read_switched_window(JsonReader& reader, ModelConfig& config);

}  // namespace halftone
