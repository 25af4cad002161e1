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
    add_frequencies();
    const WeightId embedding = graph_.weight("model.embed_tokens.weight", vocabulary, hidden);
    ValueId x = graph_.add("embed_tokens", Embedding{embedding, config_.embedding_scale}, {});
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      x = attention(layer, x);
      x = mlp(layer, x);
    }
    x = norm("norm", "model.norm", hidden, x);
    const WeightId head = config_.tied_embedding ? embedding : graph_.weight("lm_head.weight", vocabulary, hidden);
    ValueId logits = graph_.add("logits", Linear{head}, {x});
    if (config_.logit_soft_cap > 0) logits = graph_.add("logits_cap", SoftCap{config_.logit_soft_cap}, {logits});
    return std::move(graph_).finish(logits);
  }

 private:
  struct Projections {
    ValueId q, k, v;
  };

  void add_frequencies() {
    const RopeConfig& rope = config_.rope;
    const auto head_dim = static_cast<int32_t>(config_.head_dim), rotary = static_cast<int32_t>(config_.rotary());
    rope_ = Rope{0, head_dim, rotary, graph_.constant("rope.inverse_frequencies", rope_frequencies(rope, rotary)),
                 static_cast<float>(rope.magnitude)};
    if (rope.scaling == "longrope") {
      rope_.long_frequencies = graph_.constant("rope.long_frequencies", rope_frequencies(rope, rotary, true));
      rope_.long_beyond = rope.original_context;
    }
    window_rope_ = rope_;
    if (config_.window_theta > 0) {
      RopeConfig plain;
      plain.theta = config_.window_theta;
      window_rope_ =
          Rope{0, head_dim, rotary, graph_.constant("rope.window_frequencies", rope_frequencies(plain, rotary))};
    }
  }

  Projections project(const std::string& name, const std::string& weights, ValueId normed) {
    const int64_t hidden = config_.hidden, q_width = config_.heads * config_.head_dim;
    const int64_t kv_width = config_.kv_heads * config_.head_dim;
    const bool bias = config_.attention_bias;
    if (config_.fused_projections) {
      const ValueId qkv = linear(name + "qkv_proj", weights + "qkv_proj", q_width + 2 * kv_width, hidden, bias, normed);
      return {graph_.add(name + "q", Columns{0, q_width}, {qkv}),
              graph_.add(name + "k", Columns{q_width, kv_width}, {qkv}),
              graph_.add(name + "v", Columns{q_width + kv_width, kv_width}, {qkv})};
    }
    const ValueId q = linear(name + "q_proj", weights + "q_proj", q_width, hidden, bias, normed);
    const ValueId k = linear(name + "k_proj", weights + "k_proj", kv_width, hidden, bias, normed);
    return {q, k, linear(name + "v_proj", weights + "v_proj", kv_width, hidden, bias, normed)};
  }

  ValueId attention(int64_t layer, ValueId x) {
    const std::string name = fmt::format("layers.{}.", layer), weights = "model." + name + "self_attn.";
    const int64_t hidden = config_.hidden, q_width = config_.heads * config_.head_dim;
    const auto heads = static_cast<int32_t>(config_.heads), kv_heads = static_cast<int32_t>(config_.kv_heads);
    const auto head_dim = static_cast<int32_t>(config_.head_dim);
    const ValueId normed = layer_norm(layer, "input_layernorm", x);
    auto [q, k, v] = project(name, weights, normed);
    if (config_.qk_norm) {
      q = norm(name + "q_norm", weights + "q_norm", config_.head_dim, q, config_.head_dim);
      k = norm(name + "k_norm", weights + "k_norm", config_.head_dim, k, config_.head_dim);
    }
    Rope rope = config_.is_windowed(layer) ? window_rope_ : rope_;
    rope.heads = heads;
    q = graph_.add(name + "q_rope", rope, {q});
    rope.heads = kv_heads;
    k = graph_.add(name + "k_rope", rope, {k});
    const int64_t window = config_.window_of(layer);
    const StateId state = graph_.state(name + "kv", kv_heads, head_dim, window);
    const double divisor = config_.query_scalar > 0 ? config_.query_scalar : static_cast<double>(head_dim);
    const auto scale = static_cast<float>(1.0 / std::sqrt(divisor));
    const Attention op{state, heads, kv_heads, head_dim, scale, window, config_.attention_soft_cap};
    const ValueId mixed = graph_.add(name + "attention", op, {q, k, v});
    ValueId output = linear(name + "o_proj", weights + "o_proj", hidden, q_width, config_.output_bias, mixed);
    if (config_.four_norms) output = layer_norm(layer, "post_attention_layernorm", output);
    return graph_.add(name + "attention_add", Add{}, {x, output});
  }

  ValueId mlp(int64_t layer, ValueId x) {
    const std::string name = fmt::format("layers.{}.", layer), weights = "model." + name + "mlp.";
    const int64_t hidden = config_.hidden, intermediate = config_.intermediate;
    const bool bias = config_.mlp_bias;
    const ValueId normed =
        layer_norm(layer, config_.four_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm", x);
    ValueId gate, up;
    if (config_.fused_projections) {
      const ValueId both =
          linear(name + "gate_up_proj", weights + "gate_up_proj", 2 * intermediate, hidden, bias, normed);
      gate = graph_.add(name + "gate", Columns{0, intermediate}, {both});
      up = graph_.add(name + "up", Columns{intermediate, intermediate}, {both});
    } else {
      gate = linear(name + "gate_proj", weights + "gate_proj", intermediate, hidden, bias, normed);
      up = linear(name + "up_proj", weights + "up_proj", intermediate, hidden, bias, normed);
    }
    const ValueId product = config_.activation == Activation::silu ? graph_.add(name + "swiglu", SwiGlu{}, {gate, up})
                                                                   : graph_.add(name + "geglu", GeGlu{}, {gate, up});
    ValueId down = linear(name + "down_proj", weights + "down_proj", hidden, intermediate, bias, product);
    if (config_.four_norms) down = layer_norm(layer, "post_feedforward_layernorm", down);
    return graph_.add(name + "mlp_add", Add{}, {x, down});
  }

  ValueId layer_norm(int64_t layer, std::string_view which, ValueId x) {
    const std::string name = fmt::format("layers.{}.{}", layer, which);
    return norm(name, "model." + name, config_.hidden, x);
  }

  ValueId norm(std::string name, const std::string& weight, int64_t size, ValueId x, int64_t group = 0) {
    return graph_.add(
        std::move(name),
        RmsNorm{graph_.vector(weight + ".weight", size, config_.norm_offset), config_.norm_epsilon, group}, {x});
  }

  ValueId linear(std::string name, const std::string& weight, int64_t rows, int64_t columns, bool bias, ValueId x) {
    const WeightId matrix = graph_.weight(weight + ".weight", rows, columns);
    const WeightId vector = bias ? graph_.vector(weight + ".bias", rows) : kNoWeight;
    return graph_.add(std::move(name), Linear{matrix, vector}, {x});
  }

  const ModelConfig& config_;
  GraphBuilder graph_;
  Rope rope_{}, window_rope_{};  // of full and of windowed layers, but for the heads
};

}  // namespace

Result<Graph> build_decoder(const ModelConfig& config) { return DecoderBuilder(config).build(); }

}  // namespace halftone
