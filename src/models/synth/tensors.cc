// SPDX-License-Identifier: Apache-2.0
#include "models/synth/tensors.h"

#include <cmath>

#include "base/error.h"
#include "models/language_model.h"

namespace halftone {
namespace {

constexpr float kEmbeddingDeviation = 0.02f, kBiasDeviation = 0.02f, kNormDeviation = 0.05f;

// A row of independent weights of this size keeps the size of its input.
float matrix_deviation(int64_t columns) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(columns))); }

bool is_bias(const std::string& name) { return name.ends_with(".bias"); }

std::vector<SynthTensor> tensors_of(const Graph& graph) {
  std::vector<SynthTensor> tensors;
  for (const WeightRef& ref : graph.weights) {
    if (!ref.constant.empty()) continue;
    if (ref.rows > 1) {
      const float deviation =
          ref.name == "model.embed_tokens.weight" ? kEmbeddingDeviation : matrix_deviation(ref.columns);
      tensors.push_back({ref.name, {ref.rows, ref.columns}, 0, deviation});
    } else {
      const bool bias = is_bias(ref.name);
      tensors.push_back(
          {ref.name, {ref.columns}, bias ? 0.0f : 1.0f - ref.offset, bias ? kBiasDeviation : kNormDeviation});
    }
  }
  return tensors;
}

}  // namespace

int64_t SynthTensor::elements() const {
  int64_t product = 1;
  for (const int64_t dimension : shape) product *= dimension;
  return product;
}

Result<std::vector<SynthTensor>> synth_tensors(const nlohmann::json& json) {
  HALFTONE_ASSIGN(const ModelConfig config, parse_config(json, "config.json"));
  HALFTONE_ASSIGN(const Graph graph, build_graph(config));
  return tensors_of(graph);
}

}  // namespace halftone
