// SPDX-License-Identifier: Apache-2.0
#include "models/synth/tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "models/json_reader.h"
#include "models/language_model.h"

namespace halftone {
namespace {

constexpr float kEmbeddingDeviation = 0.02f, kBiasDeviation = 0.02f, kNormDeviation = 0.05f;

// A row of independent weights of this size keeps the size of its input.
float matrix_deviation(int64_t columns) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(columns))); }

bool is_bias(const std::string& name) { return name.ends_with(".bias"); }

SynthTensors tensors_of(const Graph& graph) {
  SynthTensors result;
  for (const WeightRef& ref : graph.weights) {
    if (!ref.constant.empty()) continue;
    if (ref.rows > 1) {
      const float deviation =
          ref.name == "model.embed_tokens.weight" ? kEmbeddingDeviation : matrix_deviation(ref.columns);
      result.tensors.push_back({ref.name, {ref.rows, ref.columns}, 0, deviation});
    } else {
      const bool bias = is_bias(ref.name);
      result.tensors.push_back({ref.name, {ref.columns}, bias ? 0.0f : 1.0f, bias ? kBiasDeviation : kNormDeviation});
    }
  }
  return result;
}

// The tensors of families that have no graph yet.
class Lists {
 public:
  explicit Lists(const nlohmann::json& json) : config_(json, "synth", "config.json") {
    hidden_ = config_.integer("hidden_size", 1, 1 << 20);
    intermediate_ = config_.integer("intermediate_size", 1, 1 << 20);
    layers_ = config_.integer("num_hidden_layers", 1, 1 << 12);
    vocabulary_ = config_.integer("vocab_size", 1, 1 << 24);
    const int64_t heads = config_.integer("num_attention_heads", 1, 1 << 12);
    const int64_t head_dim = config_.integer("head_dim", 1, 1 << 12, hidden_ / std::max<int64_t>(heads, 1));
    q_ = heads * head_dim;
    kv_ = config_.integer("num_key_value_heads", 1, 1 << 12, heads) * head_dim;
  }

  // LayerNorm with bias, attention and feed-forward side by side, biases everywhere.
  std::vector<SynthTensor> phi() {
    embedding();
    for (int64_t i = 0; i < layers_; ++i) {
      const std::string layer = fmt::format("model.layers.{}.", i);
      norm(layer + "input_layernorm", 1, true);
      for (const auto& [name, rows] : {std::pair("q_proj", q_), std::pair("k_proj", kv_), std::pair("v_proj", kv_)}) {
        matrix(layer + "self_attn." + name, rows, hidden_, true);
      }
      matrix(layer + "self_attn.dense", hidden_, q_, true);
      matrix(layer + "mlp.fc1", intermediate_, hidden_, true);
      matrix(layer + "mlp.fc2", hidden_, intermediate_, true);
    }
    norm("model.final_layernorm", 1, true);
    matrix("lm_head", vocabulary_, hidden_, true);
    return std::move(tensors_);
  }

  // One matrix for q, k and v, one for gate and up.
  std::vector<SynthTensor> phi3() {
    embedding();
    for (int64_t i = 0; i < layers_; ++i) {
      const std::string layer = fmt::format("model.layers.{}.", i);
      norm(layer + "input_layernorm", 1, false);
      matrix(layer + "self_attn.qkv_proj", q_ + 2 * kv_, hidden_, false);
      matrix(layer + "self_attn.o_proj", hidden_, q_, false);
      norm(layer + "post_attention_layernorm", 1, false);
      matrix(layer + "mlp.gate_up_proj", 2 * intermediate_, hidden_, false);
      matrix(layer + "mlp.down_proj", hidden_, intermediate_, false);
    }
    norm("model.norm", 1, false);
    return std::move(tensors_);
  }

  // As Llama, with norms that multiply by 1 + weight.
  std::vector<SynthTensor> gemma() {
    embedding();
    for (int64_t i = 0; i < layers_; ++i) {
      const std::string layer = fmt::format("model.layers.{}.", i);
      norm(layer + "input_layernorm", 0, false);
      for (const auto& [name, rows] : {std::pair("q_proj", q_), std::pair("k_proj", kv_), std::pair("v_proj", kv_)}) {
        matrix(layer + "self_attn." + name, rows, hidden_, false);
      }
      matrix(layer + "self_attn.o_proj", hidden_, q_, false);
      norm(layer + "post_attention_layernorm", 0, false);
      matrix(layer + "mlp.gate_proj", intermediate_, hidden_, false);
      matrix(layer + "mlp.up_proj", intermediate_, hidden_, false);
      matrix(layer + "mlp.down_proj", hidden_, intermediate_, false);
    }
    norm("model.norm", 0, false);
    return std::move(tensors_);
  }

  const Status& status() const { return config_.status(); }

 private:
  void embedding() {
    tensors_.push_back({"model.embed_tokens.weight", {vocabulary_, hidden_}, 0, kEmbeddingDeviation});
  }
  void norm(const std::string& name, float mean, bool bias) {
    tensors_.push_back({name + ".weight", {hidden_}, mean, kNormDeviation});
    if (bias) tensors_.push_back({name + ".bias", {hidden_}, 0, kBiasDeviation});
  }
  void matrix(const std::string& name, int64_t rows, int64_t columns, bool bias) {
    tensors_.push_back({name + ".weight", {rows, columns}, 0, matrix_deviation(columns)});
    if (bias) tensors_.push_back({name + ".bias", {rows}, 0, kBiasDeviation});
  }

  JsonReader config_;
  int64_t hidden_, intermediate_, layers_, vocabulary_, q_, kv_;
  std::vector<SynthTensor> tensors_;
};

}  // namespace

int64_t SynthTensor::elements() const {
  int64_t product = 1;
  for (const int64_t dimension : shape) product *= dimension;
  return product;
}

Result<SynthTensors> synth_tensors(const nlohmann::json& json) {
  const Result<ModelConfig> config = parse_config(json, "config.json");
  if (config.ok()) {
    HALFTONE_ASSIGN(const Graph graph, build_graph(*config));
    return tensors_of(graph);
  }
  SynthTensors result;
  result.unreadable = config.status().message();
  JsonReader reader(json, "synth", "config.json");
  const std::string type = reader.text("model_type", "");
  if (type != "phi" && type != "phi3" && type != "gemma") return config.status();
  Lists lists(json);
  HALFTONE_TRY(lists.status());
  result.tensors = type == "phi" ? lists.phi() : type == "phi3" ? lists.phi3() : lists.gemma();
  return result;
}

}  // namespace halftone
