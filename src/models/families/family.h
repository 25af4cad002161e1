// SPDX-License-Identifier: Apache-2.0
// What a family gives to the table in families.cc. Adding one: docs/adding/family.md.
#pragma once

#include <span>
#include <string_view>

#include "graph/graph.h"
#include "halftone/status.h"
#include "models/config.h"
#include "models/json_reader.h"

namespace halftone {

struct Family {
  std::string_view name;
  // Reads what config.json says beyond the common keys. Problems go to the reader.
  void (*configure)(JsonReader& reader, ModelConfig& config);
  Result<Graph> (*build)(const ModelConfig& config);
};

// A value of "model_type" and the family that reads it; an alias is one more row.
struct ModelType {
  std::string_view name;
  const Family* family;
};
std::span<const ModelType> all_model_types();

extern const Family kLlama, kMistral, kQwen2, kQwen3;

}  // namespace halftone
