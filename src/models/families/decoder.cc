// SPDX-License-Identifier: Apache-2.0
#include "models/families/decoder.h"

#include <fmt/format.h>

#include <cmath>

namespace halftone {
namespace {

class DecoderBuilder {
 public:
  explicit DecoderBuilder(const ModelConfig& config) : config_(config) {}

  Result<Graph> build() {
    const int64_t vocabulary = config_.vocabulary, hidden = config_.hidden;
    frequencies_ = graph_.constant("rope.inverse_frequencies", rope_frequencies(config_.rope, config_.rotary()));
    const WeightId embedding = graph_.weight("model.embed_tokens.weight", vocabulary, hidden);
    ValueId x = graph_.add("embed_tokens", Embedding{embedding}, {});
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      x = attention(layer, x);
      x = mlp(layer, x);
    }
    x = norm("norm", "model.norm", hidden, x);
    const WeightId head = config_.tied_embedding ? embedding : graph_.weight("lm_head.weight", vocabulary, hidden);
    const ValueId logits = graph_.add("logits", Linear{head}, {x});
    return std::move(graph_).finish(logits);
  }

 private:
  ValueId attention(int64_t layer, ValueId x) {
    const std::string name = fmt::format("layers.{}.", layer);
    const std::string weights = fmt::format("model.layers.{}.self_attn.", layer);
    const int64_t hidden = config_.hidden, q_width = config_.heads * config_.head_dim;
    const int64_t kv_width = config_.kv_heads * config_.head_dim;
    const auto heads = static_cast<int32_t>(config_.heads), kv_heads = static_cast<int32_t>(config_.kv_heads);
    const auto head_dim = static_cast<int32_t>(config_.head_dim), rotary = static_cast<int32_t>(config_.rotary());
    const ValueId normed =
        norm(name + "input_layernorm", fmt::format("model.layers.{}.input_layernorm", layer), hidden, x);
    const bool bias = config_.attention_bias;
    ValueId q = linear(name + "q_proj", weights + "q_proj", q_width, hidden, bias, normed);
    ValueId k = linear(name + "k_proj", weights + "k_proj", kv_width, hidden, bias, normed);
    const ValueId v = linear(name + "v_proj", weights + "v_proj", kv_width, hidden, bias, normed);
    if (config_.qk_norm) {
      q = norm(name + "q_norm", weights + "q_norm", config_.head_dim, q, config_.head_dim);
      k = norm(name + "k_norm", weights + "k_norm", config_.head_dim, k, config_.head_dim);
    }
    q = graph_.add(name + "q_rope", Rope{heads, head_dim, rotary, frequencies_}, {q});
    k = graph_.add(name + "k_rope", Rope{kv_heads, head_dim, rotary, frequencies_}, {k});
    const int64_t window = config_.window_of(layer);
    const StateId state = graph_.state(name + "kv", kv_heads, head_dim, window);
    const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
    const ValueId mixed =
        graph_.add(name + "attention", Attention{state, heads, kv_heads, head_dim, scale, window}, {q, k, v});
    const ValueId output = linear(name + "o_proj", weights + "o_proj", hidden, q_width, config_.output_bias, mixed);
    return graph_.add(name + "attention_add", Add{}, {x, output});
  }

  ValueId mlp(int64_t layer, ValueId x) {
    const std::string name = fmt::format("layers.{}.", layer);
    const std::string weights = fmt::format("model.layers.{}.mlp.", layer);
    const int64_t hidden = config_.hidden, intermediate = config_.intermediate;
    const bool bias = config_.mlp_bias;
    const ValueId normed = norm(name + "post_attention_layernorm",
                                fmt::format("model.layers.{}.post_attention_layernorm", layer), hidden, x);
    const ValueId gate = linear(name + "gate_proj", weights + "gate_proj", intermediate, hidden, bias, normed);
    const ValueId up = linear(name + "up_proj", weights + "up_proj", intermediate, hidden, bias, normed);
    const ValueId product = graph_.add(name + "swiglu", SwiGlu{}, {gate, up});
    const ValueId down = linear(name + "down_proj", weights + "down_proj", hidden, intermediate, bias, product);
    return graph_.add(name + "mlp_add", Add{}, {x, down});
  }

  ValueId norm(std::string name, const std::string& weight, int64_t size, ValueId x, int64_t group = 0) {
    return graph_.add(std::move(name), RmsNorm{graph_.vector(weight + ".weight", size), config_.norm_epsilon, group},
                      {x});
  }

  ValueId linear(std::string name, const std::string& weight, int64_t rows, int64_t columns, bool bias, ValueId x) {
    const WeightId matrix = graph_.weight(weight + ".weight", rows, columns);
    const WeightId vector = bias ? graph_.vector(weight + ".bias", rows) : kNoWeight;
    return graph_.add(std::move(name), Linear{matrix, vector}, {x});
  }

  const ModelConfig& config_;
  GraphBuilder graph_;
  WeightId frequencies_ = kNoWeight;
};

}  // namespace

Result<Graph> build_decoder(const ModelConfig& config) { return DecoderBuilder(config).build(); }

}  // namespace halftone
