// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/json_text.h"
#include "models/language_model.h"

// Any text as config.json: refused with words, or sizes that a graph can be built from.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto json = halftone::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!json.ok()) return 0;
  const auto config = halftone::parse_config(*json, "fuzz");
  if (!config.ok()) {
    HALFTONE_CHECK(!config.status().message().empty());
    return 0;
  }
  HALFTONE_CHECK(config->heads % config->kv_heads == 0 && config->head_dim % 2 == 0);
  if (config->layers > 8 || config->head_dim > 4096) return 0;
  const auto graph = halftone::build_graph(*config);
  HALFTONE_CHECK(graph.ok());
  return 0;
}
