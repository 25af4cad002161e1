// SPDX-License-Identifier: Apache-2.0
#include "models/families/window.h"

#include <fmt/format.h>

#include "base/error.h"

namespace halftone {
namespace {

constexpr int64_t kMaxWindow = int64_t{1} << 32;

// Full attention first, then windows: the one pattern that a ModelConfig can say.
void read_layer_types(JsonReader& reader, ModelConfig& config) {
  const std::vector<std::string> types = reader.texts("layer_types");
  if (types.empty() || !reader.status().ok()) return;
  if (static_cast<int64_t>(types.size()) != config.layers) {
    return reader.fail("layer_types", fmt::format("{} entries", config.layers), fmt::to_string(types.size()));
  }
  int64_t first_window = 0;
  while (first_window < config.layers && types[static_cast<size_t>(first_window)] == "full_attention") ++first_window;
  for (int64_t layer = first_window; layer < config.layers; ++layer) {
    const std::string& type = types[static_cast<size_t>(layer)];
    if (type != "sliding_attention") {
      return reader.fail(unsupported(
          "[config] {}: layer_types: expected full_attention layers, then sliding_attention, got {} at layer {}",
          reader.file(), type, layer));
    }
  }
  if (first_window < config.layers && config.window == 0) {
    return reader.fail("layer_types", "no sliding_attention without a sliding_window in use", "sliding_attention");
  }
  config.window_from_layer = first_window;
}

}  // namespace

void read_window(JsonReader& reader, int64_t from_layer, ModelConfig& config) {
  config.window = reader.integer("sliding_window", 1, kMaxWindow);
  config.window_from_layer = from_layer;
  read_layer_types(reader, config);
  // A window that no layer has, or that holds the whole context, is none.
  if (config.window_from_layer >= config.layers || config.window >= config.context) {
    config.window = config.window_from_layer = 0;
  }
}

void read_switched_window(JsonReader& reader, ModelConfig& config) {
  if (reader.boolean("use_sliding_window", false) && reader.has("sliding_window")) {
    return read_window(reader, reader.integer("max_window_layers", 0, kMaxWindow, 0), config);
  }
  read_layer_types(reader, config);
  config.window_from_layer = 0;
}

}  // namespace halftone
