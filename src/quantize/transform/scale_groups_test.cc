// SPDX-License-Identifier: Apache-2.0
#include "quantize/transform/scale_groups.h"

#include <gtest/gtest.h>

#include <numeric>
#include <optional>

#include "base/error.h"
#include "quantize/test_model.h"

namespace halftone {
namespace {

std::vector<int32_t> channels_up_to(int32_t count) {
  std::vector<int32_t> result(static_cast<size_t>(count));
  std::iota(result.begin(), result.end(), 0);
  return result;
}

// "weight[rows 16+8]" of every part.
std::string parts_text(const Graph& graph, const std::vector<ScaledPart>& parts) {
  std::string text;
  for (const ScaledPart& part : parts)
    text += fmt::format("{}{}[{} {}+{}]", text.empty() ? "" : " ", graph.weight(part.weight).name,
                        part.rows ? "rows" : "columns", part.first, part.channels.size());
  return text;
}

class Groups : public ::testing::Test {
 protected:
  void read(std::string_view shape) {
    model_.emplace(shape);
    found_ = scale_groups(model_->graph());
  }
  const ScaleGroup* find(std::string_view name) const {
    for (const ScaleGroup& group : found_.groups)
      if (group.name == name) return &group;
    return nullptr;
  }
  std::string producers(std::string_view name) const {
    return find(name) == nullptr ? "none" : parts_text(model_->graph(), find(name)->producers);
  }
  std::string consumers(std::string_view name) const {
    return find(name) == nullptr ? "none" : parts_text(model_->graph(), find(name)->consumers);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const ScaleGroup& group : found_.groups) result.push_back(group.name);
    return result;
  }

  std::optional<TestModel> model_;
  ScaleGroups found_;
};

// 64 wide, 4 heads of 16 over 2, 172 in the feed-forward, 2 layers, tied.
TEST_F(Groups, LlamaWithSharedKeyAndValueHeads) {
  read("tiny");
  const std::string a = "model.layers.0.self_attn.", m = "model.layers.0.mlp.";
  EXPECT_EQ(producers("layers.0.input_layernorm"), "model.layers.0.input_layernorm.weight[columns 0+64]");
  EXPECT_EQ(
      consumers("layers.0.input_layernorm"),
      a + "q_proj.weight[columns 0+64] " + a + "k_proj.weight[columns 0+64] " + a + "v_proj.weight[columns 0+64]");
  EXPECT_EQ(producers("layers.0.v_proj"), a + "v_proj.weight[rows 0+32]");
  EXPECT_EQ(consumers("layers.0.v_proj"), a + "o_proj.weight[columns 0+64]");
  EXPECT_EQ(find("layers.0.v_proj")->channels, 32);
  // Query heads 0 and 1 share value head 0, heads 2 and 3 share value head 1.
  std::vector<int32_t> columns;
  for (const int32_t head : {0, 0, 1, 1})
    for (int32_t d = 0; d < 16; ++d) columns.push_back(16 * head + d);
  EXPECT_EQ(find("layers.0.v_proj")->consumers[0].channels, columns);
  EXPECT_EQ(producers("layers.0.up_proj"), m + "up_proj.weight[rows 0+172]");
  EXPECT_EQ(consumers("layers.0.up_proj"), m + "down_proj.weight[columns 0+172]");
  EXPECT_EQ(find("layers.0.up_proj")->consumers[0].channels, channels_up_to(172));
  const ScaleGroup& pairs = *find("layers.0.q_proj and layers.0.k_proj");
  EXPECT_EQ(pairs.channels, 2 * 8);  // two key heads of eight pairs
  std::vector<int32_t> queries, keys;
  for (const int32_t head : {0, 0, 1, 1})
    for (int32_t d = 0; d < 16; ++d) queries.push_back(8 * head + d % 8);
  for (const int32_t head : {0, 1})
    for (int32_t d = 0; d < 16; ++d) keys.push_back(8 * head + d % 8);
  EXPECT_EQ(pairs.producers[0].channels, queries);
  EXPECT_EQ(pairs.consumers[0].channels, keys);
  EXPECT_EQ(find("norm"), nullptr);
  EXPECT_EQ(found_.left_out, std::vector<std::string>{"norm: 'model.embed_tokens.weight' is read at 2 places, so its "
                                                      "columns cannot be scaled for one"});
  EXPECT_EQ(found_.groups.size(), 2u * 5);
}

TEST_F(Groups, BiasesGoWithTheRowsOfQwen2) {
  read("tiny-qwen2");
  const std::string a = "model.layers.0.self_attn.";
  const auto rows = find("layers.0.v_proj")->channels;
  EXPECT_EQ(producers("layers.0.v_proj"),
            fmt::format("{0}v_proj.weight[rows 0+{1}] {0}v_proj.bias[columns 0+{1}]", a, rows));
  EXPECT_EQ(find("layers.0.q_proj and layers.0.k_proj")->producers.size(), 2u);
  EXPECT_EQ(find("layers.0.q_proj and layers.0.k_proj")->consumers.size(), 2u);
}

// Norms stand between projections and rope: their gains, one for all heads, take the factors.
TEST_F(Groups, QueryAndKeyNormsOfQwen3) {
  read("tiny-qwen3");
  const std::string a = "model.layers.0.self_attn.";
  EXPECT_EQ(find("layers.0.q_proj and layers.0.k_proj"), nullptr);
  const auto* pairs = find("layers.0.q_norm and layers.0.k_norm");
  ASSERT_NE(pairs, nullptr);
  const auto size = pairs->producers[0].channels.size();
  EXPECT_EQ(pairs->channels, static_cast<int64_t>(size / 2));
  EXPECT_EQ(producers(pairs->name), fmt::format("{}q_norm.weight[columns 0+{}]", a, size));
  EXPECT_EQ(consumers(pairs->name), fmt::format("{}k_norm.weight[columns 0+{}]", a, size));
  for (size_t d = 0; d < size; ++d) EXPECT_EQ(pairs->consumers[0].channels[d], static_cast<int32_t>(d % (size / 2)));
}

// qkv_proj and gate_up_proj are one matrix each: groups are ranges of rows.
TEST_F(Groups, FusedProjectionsOfPhi3) {
  read("tiny-phi3");
  const std::string a = "model.layers.0.self_attn.", m = "model.layers.0.mlp.";
  const ModelConfig& config = model_->model->config;
  const int64_t q = config.heads * config.head_dim, kv = config.kv_heads * config.head_dim;
  EXPECT_EQ(consumers("layers.0.input_layernorm"), a + fmt::format("qkv_proj.weight[columns 0+{}]", config.hidden));
  EXPECT_EQ(producers("layers.0.v"), a + fmt::format("qkv_proj.weight[rows {}+{}]", q + kv, kv));
  EXPECT_EQ(producers("layers.0.q and layers.0.k"), a + fmt::format("qkv_proj.weight[rows 0+{}]", q));
  EXPECT_EQ(consumers("layers.0.q and layers.0.k"), a + fmt::format("qkv_proj.weight[rows {}+{}]", q, kv));
  EXPECT_EQ(producers("layers.0.up"),
            m + fmt::format("gate_up_proj.weight[rows {}+{}]", config.intermediate, config.intermediate));
}

// Norms behind attention and feed-forward are read by a sum, so they are in no group.
TEST_F(Groups, FourNormsOfGemma2) {
  read("tiny-gemma2");
  EXPECT_NE(find("layers.0.input_layernorm"), nullptr);
  EXPECT_NE(find("layers.0.pre_feedforward_layernorm"), nullptr);
  EXPECT_EQ(find("layers.0.post_attention_layernorm"), nullptr);
  EXPECT_EQ(find("layers.0.post_feedforward_layernorm"), nullptr);
  EXPECT_EQ(model_->graph().weight(find("layers.0.input_layernorm")->producers[0].weight).offset, 1);
}

// One LayerNorm feeds four matrices; a plain GELU lets nothing through; a part of each head rotates.
TEST_F(Groups, PhiHasOneNormAndNoGate) {
  read("tiny-phi");
  const auto* norm = find("layers.0.input_layernorm");
  ASSERT_NE(norm, nullptr);
  EXPECT_EQ(norm->producers.size(), 2u);
  EXPECT_EQ(norm->consumers.size(), 4u);
  EXPECT_EQ(find("layers.0.fc1"), nullptr);
  const ModelConfig& config = model_->model->config;
  EXPECT_EQ(find("layers.0.q_proj and layers.0.k_proj")->channels,
            config.kv_heads * (config.head_dim - config.rotary() / 2));
  EXPECT_EQ(find("final_layernorm") != nullptr, !config.tied_embedding);
}

// As BERT has it: norms behind the sums, whose value goes on as the residual; no rope.
TEST(GroupsByHand, PostNormEncoder) {
  GraphBuilder builder;
  const ValueId x = builder.add("embed", Embedding{builder.weight("table", 50, 8)}, {});
  const auto linear = [&](const std::string& name, int64_t rows, int64_t columns, ValueId from) {
    return builder.add(name, Linear{builder.weight(name + ".w", rows, columns), builder.vector(name + ".b", rows)},
                       {from});
  };
  const ValueId normed = builder.add("norm", LayerNorm{builder.vector("n.w", 8), builder.vector("n.b", 8), 1e-5f}, {x});
  const ValueId q = linear("q", 8, 8, normed), k = linear("k", 8, 8, normed), v = linear("v", 8, 8, normed);
  const StateId state = builder.state("kv", 2, 4, 0);
  const ValueId mixed = builder.add("attention", Attention{state, 2, 2, 4, 0.5f}, {q, k, v});
  const ValueId sum = builder.add("add", Add{}, {normed, linear("o", 8, 8, mixed)});
  const ValueId last =
      builder.add("norm2", LayerNorm{builder.vector("m.w", 8), builder.vector("m.b", 8), 1e-5f}, {sum});
  const ValueId active = builder.add("gelu", Gelu{}, {linear("fc1", 16, 8, last)});
  const ValueId out = builder.add("add2", Add{}, {last, linear("fc2", 8, 16, active)});
  const auto graph = std::move(builder).finish(linear("head", 50, 8, out));
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  const ScaleGroups found = scale_groups(*graph);
  ASSERT_EQ(found.groups.size(), 2u);
  EXPECT_EQ(found.groups[0].name, "q and k");
  EXPECT_EQ(found.groups[0].producers[0].channels, channels_up_to(8));  // no rope: each dimension is its own
  EXPECT_EQ(found.groups[1].name, "v");
  EXPECT_EQ(parts_text(*graph, found.groups[1].producers), "v.w[rows 0+8] v.b[columns 0+8]");
  EXPECT_TRUE(found.left_out.empty());
}

}  // namespace
}  // namespace halftone
