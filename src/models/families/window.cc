// SPDX-License-Identifier: Apache-2.0
#include "models/families/window.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace halftone {
namespace {

constexpr int64_t kMaxWindow = int64_t{1} << 32;

void read_layer_types(JsonReader& reader, ModelConfig& config) {
  const std::vector<std::string> types = reader.texts("layer_types");
  if (types.empty() || !reader.status().ok()) return;
  if (static_cast<int64_t>(types.size()) != config.layers) {
    return reader.fail("layer_types", fmt::format("{} entries", config.layers), fmt::to_string(types.size()));
  }
  std::vector<bool> windowed;
  for (size_t layer = 0; layer < types.size(); ++layer) {
    if (types[layer] != "full_attention" && types[layer] != "sliding_attention") {
      return reader.fail(
          unsupported("[config] {}: layer_types: expected full_attention or sliding_attention, got {} at layer {}",
                      reader.file(), types[layer], layer));
    }
    windowed.push_back(types[layer] == "sliding_attention");
  }
  if (config.window == 0 && std::find(windowed.begin(), windowed.end(), true) != windowed.end()) {
    return reader.fail("layer_types", "no sliding_attention without a sliding_window in use", "sliding_attention");
  }
  config.windowed = std::move(windowed);
}

}  // namespace

void read_window(JsonReader& reader, std::vector<bool> windowed, ModelConfig& config) {
  config.window = reader.integer("sliding_window", 1, kMaxWindow);
  config.windowed = std::move(windowed);
  read_layer_types(reader, config);
  const bool none = !config.windowed.empty() &&
                    std::find(config.windowed.begin(), config.windowed.end(), true) == config.windowed.end();
  // A window that no layer has, or that holds the whole context, is none.
  if (none || config.window >= config.context) config.window = 0;
}

void read_switched_window(JsonReader& reader, ModelConfig& config) {
  if (reader.boolean("use_sliding_window", false) && reader.has("sliding_window")) {
    const int64_t from = reader.integer("max_window_layers", 0, kMaxWindow, 0);
    std::vector<bool> windowed;
    for (int64_t layer = 0; layer < config.layers; ++layer) windowed.push_back(layer >= from);
    return read_window(reader, std::move(windowed), config);
  }
  read_layer_types(reader, config);
}

}  // namespace halftone
