// SPDX-License-Identifier: Apache-2.0
#include "graph/network/json.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graph/network/fields.h"

namespace halftone::network {
namespace {

// Moves every member away from its default, each differently.
struct Disturb {
  int64_t count = 3;
  void operator()(std::string_view, auto& member) { change(member); }
  void change(bool& value) { value = !value; }
  void change(int64_t& value) { value = ++count; }
  void change(float& value) { value = static_cast<float>(++count) + 0.1F; }
  void change(std::string& value) { value = "ij,jk->ik"; }
  void change(DType& value) { value = DType::u8; }
  template <class T>
  void change(std::vector<T>& value) {
    value.resize(2);
    for (T& element : value) change(element);
  }
  template <class T>
  requires std::is_enum_v<T>
  void change(T& value) { value = static_cast<T>(1); }
  void change(Window& window) { visit_fields(window, *this); }
};

template <size_t kIndex = 0>
void every_op(std::vector<Op>& ops) {
  if constexpr (kIndex < std::variant_size_v<Op>) {
    std::variant_alternative_t<kIndex, Op> op{};
    ops.emplace_back(op);
    visit_fields(op, Disturb());
    ops.emplace_back(op);
    every_op<kIndex + 1>(ops);
  }
}

Result<Constant> no_constant(const std::string&, DType, const Shape&) { return invalid_input("none"); }

TEST(NetworkJson, EveryMemberOfEveryOpComesBack) {
  std::vector<Op> ops;
  every_op(ops);
  for (const Op& op : ops) {
    const std::string text = to_json(op).dump();
    const auto back = op_from_json(nlohmann::json::parse(text), "test");
    ASSERT_TRUE(back.ok()) << text << back.status().message();
    EXPECT_TRUE(same(op, *back)) << text << " became " << to_json(*back).dump();
  }
  // Disturbed ops differ from plain ones wherever there is a member.
  for (size_t i = 0; i < ops.size(); i += 2) {
    const bool empty = std::visit([](const auto& op) { return std::is_empty_v<std::decay_t<decltype(op)>>; }, ops[i]);
    EXPECT_EQ(same(ops[i], ops[i + 1]), empty) << name_of(ops[i]);
  }
}

TEST(NetworkJson, WritesWhatItSays) {
  Conv conv;
  conv.window.strides = {2, 1};
  conv.groups = 4;
  EXPECT_EQ(to_json(Op(conv)).dump(), R"({"op":"conv","window":{"strides":[2,1]},"groups":4})");
  EXPECT_EQ(to_json(Op(Unary{UnaryKind::leaky_relu, 0.5F})).dump(), R"({"op":"leaky_relu","alpha":0.5})");
  const auto infinite = op_from_json(to_json(Op(Unary{UnaryKind::elu, -INFINITY})), "test");
  EXPECT_EQ(std::get<Unary>(*infinite).alpha, -INFINITY);
}

Network small() {
  Network network;
  network.name = "small";
  network.values = {"x", "w", "sum", "y"};
  network.constants.emplace(1, Tensor::of<float>(DType::f32, {2}, std::vector<float>{1, 2}));
  network.inputs.push_back({0, DType::f32, true, {{-1, "batch"}, {2, ""}, {-1, ""}}});
  network.outputs.push_back({3, DType::f32, false, {}});
  network.nodes.push_back({Unary{UnaryKind::relu}, "second", {2}, {3}});
  network.nodes.push_back({Binary{BinaryKind::add}, "first", {0, 1}, {2}});
  EXPECT_TRUE(finish(network).ok());
  return network;
}

TEST(NetworkJson, ANetworkComesBack) {
  const Network network = small();
  const auto json = nlohmann::json::parse(to_json(network).dump());
  const auto load = [&](const std::string& name, DType, const Shape&) -> Result<Constant> {
    EXPECT_EQ(name, "w");
    return Constant(network.constants.at(1));
  };
  const auto back = network_from_json(json, "test", load);
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(to_json(*back), to_json(network));
  EXPECT_EQ(dump(*back), dump(network));
  EXPECT_EQ(back->inputs[0].shape[0].symbol, "batch");
  EXPECT_EQ(back->inputs[0].shape[2].size, -1);
}

TEST(NetworkJson, CodesComeBackAsCodes) {
  Network network = small();
  network.constants.clear();
  const PackedConstant codes{{&layout_of(LayoutId::int8_channel), Order::panel16, 2, 1, {}}, {2, 1}, nullptr};
  network.packed.emplace(1, codes);
  const auto json = nlohmann::json::parse(to_json(network).dump());
  const auto back = network_from_json(json, "test", [&](auto&&...) -> Result<Constant> { return Constant(codes); });
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_TRUE(back->constants.empty());
  EXPECT_EQ(back->packed.at(1).matrix.layout, codes.matrix.layout);
  EXPECT_EQ(to_json(*back), to_json(network));
  PackedConstant other = codes;
  other.shape = {1, 2};
  EXPECT_EQ(std::string(network_from_json(json, "test", [&](auto&&...) -> Result<Constant> { return Constant(other); })
                            .status()
                            .message()),
            "test.constants: w: expected f32 of [2, 1], got codes of f32 [1, 2]");
}

TEST(NetworkJson, WhatIsWrongIsNamed) {
  const auto error = [](const nlohmann::json& json) {
    const auto op = op_from_json(json, "m.json");
    return op.ok() ? "ok" : std::string(op.status().message());
  };
  EXPECT_EQ(error({{"op", "conv"}, {"group", 1}}), "m.json: the key group is not known");
  EXPECT_EQ(error({{"op", "conv"}, {"groups", "1"}}), "m.json.groups: expected an integer, got \"1\"");
  EXPECT_EQ(error({{"op", "relu"}, {"alpha", 1e300}}),
            "m.json.alpha: expected a number that a float holds, got 1e+300");
  EXPECT_EQ(error({{"op", "pad"}, {"mode", "mirror"}}), "m.json.mode: expected one of its names, got \"mirror\"");
  EXPECT_EQ(error({{"op", "warp"}}), "m.json: the op \"warp\" is not known; it may be of a newer halftone");
  auto json = nlohmann::json::parse(to_json(small()).dump());
  json["nodes"][0]["inputs"][0] = 99;
  EXPECT_FALSE(network_from_json(json, "m.json", no_constant).ok());
  json["values"][1] = "x";
  EXPECT_EQ(std::string(network_from_json(json, "m.json", no_constant).status().message()),
            "m.json.values: expected different names, got one twice");
}

}  // namespace
}  // namespace halftone::network
