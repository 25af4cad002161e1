// SPDX-License-Identifier: Apache-2.0
#include "graph/graph.h"

#include <gtest/gtest.h>

namespace halftone {
namespace {

// One attention block over 2 heads of 4, one key head; `change` may break it.
struct Block {
  GraphBuilder builder;
  ValueId logits = -1;

  Block() {
    const ValueId x = builder.add("embed", Embedding{builder.weight("embed.weight", 10, 8)}, {});
    const ValueId norm = builder.add("norm", RmsNorm{builder.vector("norm.weight", 8), 1e-5f}, {x});
    const ValueId q = builder.add("q", Linear{builder.weight("q.weight", 8, 8), builder.vector("q.bias", 8)}, {norm});
    const ValueId k = builder.add("k", Linear{builder.weight("k.weight", 4, 8)}, {norm});
    const ValueId v = builder.add("v", Linear{builder.weight("v.weight", 4, 8)}, {norm});
    const ValueId q_norm = builder.add("q_norm", RmsNorm{builder.vector("q_norm.weight", 4), 1e-5f, 4}, {q});
    const WeightId frequencies = builder.constant("frequencies", {1.0f, 0.01f});
    const ValueId q_rope = builder.add("q_rope", Rope{2, 4, 4, frequencies}, {q_norm});
    const ValueId k_rope = builder.add("k_rope", Rope{1, 4, 4, frequencies}, {k});
    const StateId state = builder.state("kv", 1, 4, 16);
    const ValueId mixed = builder.add("attention", Attention{state, 2, 1, 4, 0.5f, 16}, {q_rope, k_rope, v});
    const ValueId sum = builder.add("add", Add{}, {x, mixed});
    const ValueId glu = builder.add("glu", SwiGlu{}, {sum, mixed});
    logits = builder.add("logits", Linear{builder.weight("embed.weight", 10, 8)}, {glu});
  }
  Graph graph() { return std::move(std::move(builder).finish(logits)).value(); }
};

TEST(Graph, BuildsSharesWeightsAndInfersWidths) {
  Block block;
  const Result<Graph> graph = std::move(block.builder).finish(block.logits);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->weights.size(), 8u);  // the embedding is one weight, read twice
  EXPECT_EQ(graph->logits, block.logits);
  EXPECT_EQ(graph->values[static_cast<size_t>(block.logits)].width, 10);
}

TEST(Graph, DumpIsOneLinePerNode) {
  const Graph graph = Block().graph();
  EXPECT_EQ(dump(graph),
            "embed (8) = embedding [embed.weight(10, 8)]\n"
            "norm (8) = rms_norm embed [norm.weight(8) epsilon 1e-05]\n"
            "q (8) = linear norm [q.weight(8, 8) bias q.bias(8)]\n"
            "k (4) = linear norm [k.weight(4, 8)]\n"
            "v (4) = linear norm [v.weight(4, 8)]\n"
            "q_norm (8) = rms_norm q [q_norm.weight(4) epsilon 1e-05 group 4]\n"
            "q_rope (8) = rope q_norm [2 heads of 4 rotary 4 frequencies(2)]\n"
            "k_rope (4) = rope k [1 heads of 4 rotary 4 frequencies(2)]\n"
            "attention (8) = attention q_rope k_rope v [2 heads of 4 over 1 scale 0.5 state kv window 16]\n"
            "add (8) = add embed attention\n"
            "glu (8) = swiglu add attention\n"
            "logits (10) = linear glu [embed.weight(10, 8)]\n");
}

struct Fault {
  std::string name;
  std::string message;  // a part of it
  void (*breaks)(Graph& graph);
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class GraphFault : public testing::TestWithParam<Fault> {};

template <class T>
T& op(Graph& graph, size_t node) {
  return std::get<T>(graph.nodes[node].op);
}

TEST_P(GraphFault, NamesTheNode) {
  Graph graph = Block().graph();
  GetParam().breaks(graph);
  const Status status = infer_shapes(graph);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find(GetParam().message), std::string::npos) << status.message();
}

INSTANTIATE_TEST_SUITE_P(
    All, GraphFault,
    testing::Values(
        Fault{"narrow_linear", "node k (linear): expected input 0 of width 6, got norm of width 8",
              [](Graph& g) { g.weights[4].columns = 6; }},
        Fault{"short_bias", "node q (linear): expected bias q.bias of shape (1, 8), got (1, 7)",
              [](Graph& g) { g.weights[3].columns = 7; }},
        Fault{"empty_weight", "node q (linear): expected weight q.weight with rows and columns, got (0, 8)",
              [](Graph& g) { g.weights[2].rows = 0; }},
        Fault{"unknown_weight", "node q (linear): weight: expected one of 8 weights, got 99",
              [](Graph& g) { op<Linear>(g, 2).weight = 99; }},
        Fault{"norm_group", "node q_norm (rms_norm): groups: expected a divisor of width 8, got 3",
              [](Graph& g) { op<RmsNorm>(g, 5).group = 3; }},
        Fault{"norm_weight", "node norm (rms_norm): expected weight norm.weight of shape (1, 8), got (1, 4)",
              [](Graph& g) { g.weights[1].columns = 4; }},
        Fault{"odd_rotary", "node q_rope (rope): rotary: expected an even number up to head_dim 4, got 3",
              [](Graph& g) { op<Rope>(g, 6).rotary = 3; }},
        Fault{"rope_heads", "node q_rope (rope): expected input 0 of width 12, got q_norm of width 8",
              [](Graph& g) { op<Rope>(g, 6).heads = 3; }},
        Fault{"rope_constant",
              "node q_rope (rope): expected constant inverse_frequencies, got stored weight frequencies",
              [](Graph& g) { g.weights[7].constant.clear(); }},
        Fault{"uneven_heads", "node attention (attention): heads: expected a multiple of 3 key heads, got 2",
              [](Graph& g) { op<Attention>(g, 8).kv_heads = 3; }},
        Fault{"unknown_state", "node attention (attention): state: expected one of 1 states, got 1",
              [](Graph& g) { op<Attention>(g, 8).state = 1; }},
        Fault{"state_shape",
              "node attention: expected state kv of 1 heads of 4 with window 16, got 1 heads of 4 with window 8",
              [](Graph& g) { g.states[0].window = 8; }},
        Fault{"missing_input", "node add (add): expected 2 inputs, got 1",
              [](Graph& g) { g.nodes[9].inputs.pop_back(); }},
        Fault{"later_input", "node add (add): expected inputs computed by earlier nodes, got value 11",
              [](Graph& g) { g.nodes[9].inputs[1] = 11; }},
        Fault{"unequal_add", "node add (add): expected input 1 of width 8, got v of width 4",
              [](Graph& g) { g.nodes[9].inputs[1] = 4; }},
        Fault{"unknown_output", "node add: expected an output among 12 values, got 77",
              [](Graph& g) { g.nodes[9].output = 77; }}),
    [](const auto& info) { return info.param.name; });

// The ops of Phi and Gemma on a value of width 8.
struct Others {
  GraphBuilder builder;
  ValueId x = builder.add("x", Embedding{builder.weight("table", 10, 8)}, {});
  std::string message(ValueId value) && {
    const Result<Graph> graph = std::move(builder).finish(value);
    return graph.ok() ? dump(*graph) : std::string(graph.status().message());
  }
};

TEST(GraphOps, WidthsAndDumpsOfNormsSlicesAndCaps) {
  Others others;
  GraphBuilder& b = others.builder;
  const ValueId normed = b.add("n", LayerNorm{b.vector("n.weight", 8), b.vector("n.bias", 8), 1e-5f}, {others.x});
  const ValueId gate = b.add("gate", Columns{0, 3}, {normed}), up = b.add("up", Columns{5, 3}, {normed});
  const ValueId product = b.add("product", GeGlu{}, {gate, up});
  const ValueId active = b.add("active", Gelu{}, {b.add("scaled", RmsNorm{b.vector("s", 3, 1), 1e-6f}, {product})});
  const ValueId capped = b.add("capped", SoftCap{30}, {active});
  const std::string text = std::move(others).message(capped);
  EXPECT_NE(text.find("n (8) = layer_norm x [n.weight(8) bias n.bias(8) epsilon 1e-05]"), std::string::npos) << text;
  EXPECT_NE(text.find("up (3) = columns n [5..8]"), std::string::npos) << text;
  EXPECT_NE(text.find("product (3) = geglu gate up\n"), std::string::npos) << text;
  EXPECT_NE(text.find("rms_norm product [s(3) + 1 epsilon 1e-06]"), std::string::npos) << text;
  EXPECT_NE(text.find("active (3) = gelu scaled\ncapped (3) = soft_cap active [30]"), std::string::npos) << text;
}

TEST(GraphOps, FaultsNameTheNode) {
  Others wide, none, norm, offset;
  EXPECT_EQ(std::move(wide).message(wide.builder.add("cut", Columns{6, 3}, {wide.x})),
            "[graph] node cut (columns): expected columns among the 8 of x, got 3 from 6 on");
  EXPECT_EQ(std::move(none).message(none.builder.add("cap", SoftCap{0}, {none.x})),
            "[graph] node cap (soft_cap): expected a cap above 0, got 0");
  GraphBuilder& b = norm.builder;
  const ValueId bad = b.add("norm", LayerNorm{b.vector("w", 8), b.vector("b", 7), 1e-5f}, {norm.x});
  EXPECT_EQ(std::move(norm).message(bad),
            "[graph] node norm (layer_norm): expected bias b of shape (1, 8), got (1, 7)");
  offset.builder.vector("w", 8, 1);
  offset.builder.vector("w", 8);
  EXPECT_EQ(std::move(offset).message(offset.x), "[graph] weight w: expected one offset, got 1 and 0");
}

TEST(GraphBuilder, OneNameMustHaveOneShape) {
  Block block;
  block.builder.weight("q.weight", 8, 4);
  const Result<Graph> graph = std::move(block.builder).finish(block.logits);
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.status().message(), "[graph] weight q.weight: expected one shape, got (8, 8) and (8, 4)");
}

TEST(GraphBuilder, OneConstantMustHaveOneContent) {
  Block block;
  block.builder.constant("frequencies", {1.0f, 0.01f});
  block.builder.constant("frequencies", {1.0f, 0.02f});
  const Result<Graph> graph = std::move(block.builder).finish(block.logits);
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.status().message(), "[graph] constant frequencies: expected one content, got two");
}

TEST(GraphBuilder, InputsAndLogitsMustExist) {
  GraphBuilder dangling;
  const ValueId sum = dangling.add("sum", Add{}, {0, 5});
  EXPECT_EQ(std::move(dangling).finish(sum).status().message(),
            "[graph] node sum: expected inputs among the 0 earlier values, got value 0");
  EXPECT_EQ(GraphBuilder().finish(3).status().message(), "[graph] expected logits among 0 values, got value 3");
}

}  // namespace
}  // namespace halftone
