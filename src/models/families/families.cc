// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "models/families/family.h"
#include "models/language_model.h"

namespace halftone {

std::span<const ModelType> all_model_types() {
  static constexpr ModelType kTable[] = {
      {"llama", &kLlama}, {"mistral", &kMistral}, {"qwen2", &kQwen2},   {"qwen3", &kQwen3},        {"phi", &kPhi},
      {"phi3", &kPhi3},   {"gemma", &kGemma},     {"gemma2", &kGemma2}, {"gemma3_text", &kGemma3},
  };
  return kTable;
}

Result<Graph> build_graph(const ModelConfig& config) {
  for (const ModelType& row : all_model_types()) {
    if (row.family->name == config.family) return row.family->build(config);
  }
  return unsupported("[models] expected a known family, got \"{}\"", config.family);
}

}  // namespace halftone
