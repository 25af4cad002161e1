// SPDX-License-Identifier: Apache-2.0
// Phi-1, 1.5 and 2: one LayerNorm per layer feeds attention and feed-forward side by side, everything has a bias, and
// only a part of each head rotates.
#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "models/families/family.h"

namespace halftone {
namespace {

void configure_phi(JsonReader& reader, ModelConfig& config) {
  config.attention_bias = config.output_bias = config.mlp_bias = true;
  if (reader.boolean("qk_layernorm", false)) {
    reader.fail("qk_layernorm", "false, as in every published Phi", "true");
  }
}

class PhiBuilder {
 public:
  explicit PhiBuilder(const ModelConfig& config) : config_(config) {}

  Result<Graph> build() {
    const int64_t vocabulary = config_.vocabulary, hidden = config_.hidden;
    frequencies_ = graph_.constant("rope.inverse_frequencies", rope_frequencies(config_.rope, config_.rotary()));
    const WeightId embedding = graph_.weight("model.embed_tokens.weight", vocabulary, hidden);
    ValueId x = graph_.add("embed_tokens", Embedding{embedding}, {});
    for (int64_t layer = 0; layer < config_.layers; ++layer) x = block(layer, x);
    x = norm("final_layernorm", "model.final_layernorm", x);
    const WeightId head = config_.tied_embedding ? embedding : graph_.weight("lm_head.weight", vocabulary, hidden);
    const ValueId logits = graph_.add("logits", Linear{head, graph_.vector("lm_head.bias", vocabulary)}, {x});
    return std::move(graph_).finish(logits);
  }

 private:
  ValueId block(int64_t layer, ValueId x) {
    const std::string name = fmt::format("layers.{}.", layer), weights = "model." + name;
    const int64_t hidden = config_.hidden, intermediate = config_.intermediate;
    const int64_t q_width = config_.heads * config_.head_dim, kv_width = config_.kv_heads * config_.head_dim;
    const auto heads = static_cast<int32_t>(config_.heads), kv_heads = static_cast<int32_t>(config_.kv_heads);
    const auto head_dim = static_cast<int32_t>(config_.head_dim), rotary = static_cast<int32_t>(config_.rotary());
    const ValueId normed = norm(name + "input_layernorm", weights + "input_layernorm", x);
    // These four read the same input, so they run as one step.
    ValueId q = linear(name + "q_proj", weights + "self_attn.q_proj", q_width, hidden, normed);
    ValueId k = linear(name + "k_proj", weights + "self_attn.k_proj", kv_width, hidden, normed);
    const ValueId v = linear(name + "v_proj", weights + "self_attn.v_proj", kv_width, hidden, normed);
    const ValueId up = linear(name + "fc1", weights + "mlp.fc1", intermediate, hidden, normed);
    q = graph_.add(name + "q_rope", Rope{heads, head_dim, rotary, frequencies_}, {q});
    k = graph_.add(name + "k_rope", Rope{kv_heads, head_dim, rotary, frequencies_}, {k});
    const StateId state = graph_.state(name + "kv", kv_heads, head_dim, 0);
    const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
    const ValueId mixed = graph_.add(name + "attention", Attention{state, heads, kv_heads, head_dim, scale}, {q, k, v});
    const ValueId attended = linear(name + "dense", weights + "self_attn.dense", hidden, q_width, mixed);
    const ValueId active = graph_.add(name + "gelu", Gelu{}, {up});
    const ValueId fed = linear(name + "fc2", weights + "mlp.fc2", hidden, intermediate, active);
    const ValueId both = graph_.add(name + "parallel_add", Add{}, {attended, fed});
    return graph_.add(name + "residual_add", Add{}, {both, x});
  }

  ValueId norm(std::string name, const std::string& weight, ValueId x) {
    const WeightId scale = graph_.vector(weight + ".weight", config_.hidden);
    const WeightId bias = graph_.vector(weight + ".bias", config_.hidden);
    return graph_.add(std::move(name), LayerNorm{scale, bias, config_.norm_epsilon}, {x});
  }

  ValueId linear(std::string name, const std::string& weight, int64_t rows, int64_t columns, ValueId x) {
    const WeightId matrix = graph_.weight(weight + ".weight", rows, columns);
    return graph_.add(std::move(name), Linear{matrix, graph_.vector(weight + ".bias", rows)}, {x});
  }

  const ModelConfig& config_;
  GraphBuilder graph_;
  WeightId frequencies_ = kNoWeight;
};

Result<Graph> build_phi(const ModelConfig& config) { return PhiBuilder(config).build(); }

}  // namespace

const Family kPhi = {"phi",
                     configure_phi,
                     build_phi,
                     {.norm_epsilon = "layer_norm_eps",
                      .activation = Activation::gelu_tanh,
                      .activation_names = {"gelu_new", "gelu_pytorch_tanh", "gelu_fast"},
                      .partial_rotary = 0.5}};

}  // namespace halftone
