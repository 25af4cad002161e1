// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "formats/onnx/lowering.h"

namespace halftone::onnx {
namespace {

using namespace network;  // NOLINT(google-build-using-namespace): ops by their own names

// Opset 13 made the axes an input.
template <class Op>
Status with_axes(Lowering& node) {
  ValueId axes = node.in(1);
  if (node.opset() < 13 && node.has("axes")) axes = node.integers_value(node.integers("axes"));
  return node.give(Op{}, {node.in(0), axes});
}

Status split(Lowering& node) {
  const Split op{node.integer("axis", 0)};
  ValueId sizes = node.in(1);
  if (node.opset() < 13 && node.has("split")) sizes = node.integers_value(node.integers("split"));
  if (node.has("num_outputs") && node.integer("num_outputs", 0) != static_cast<int64_t>(node.outputs()))
    return invalid_input("expected as many outputs as num_outputs says, got {}", node.outputs());
  node.add(op, {node.in(0), sizes}, node.all_out());
  return {};
}

Status slice(Lowering& node) {
  if (node.opset() >= 10) return node.same(Slice{});
  const ValueId starts = node.integers_value(node.integers("starts"));
  const ValueId ends = node.integers_value(node.integers("ends"));
  const ValueId axes = node.has("axes") ? node.integers_value(node.integers("axes")) : kNoValue;
  return node.give(Slice{}, {node.in(0), starts, ends, axes});
}

Status pad(Lowering& node) {
  constexpr std::string_view kModes[] = {"constant", "reflect", "edge", "wrap"};
  const Pad op{node.choice("mode", kModes, PadMode::constant)};
  if (node.opset() >= 11) return node.same(op);
  const DType type = node.type_of(node.in(0)).value_or(DType::f32);
  const ValueId pads = node.integers_value(node.integers("pads"));
  return node.give(op, {node.in(0), pads, node.scalar(node.number("value", 0), type)});
}

ScatterReduction read_reduction(Lowering& node) {
  constexpr std::string_view kNames[] = {"none", "add", "mul", "min", "max"};
  return node.choice("reduction", kNames, ScatterReduction::none);
}

Status scatter_elements(Lowering& node) {
  const int64_t axis = node.integer("axis", 0);
  return node.same(ScatterElements{axis, read_reduction(node)});
}

Status depth_to_space(Lowering& node) {
  constexpr std::string_view kModes[] = {"DCR", "CRD"};
  DepthToSpace op{node.required_integer("blocksize")};
  op.columns_first = node.choice("mode", kModes, false);
  return node.same(op);
}

Status reverse_sequence(Lowering& node) {
  return node.same(ReverseSequence{node.integer("batch_axis", 1), node.integer("time_axis", 0)});
}

Status compress(Lowering& node) {
  Compress op;
  op.flat = !node.has("axis");
  op.axis = node.integer("axis", 0);
  return node.same(op);
}

// Nothing is dropped when a model runs; the mask is all ones.
Status dropout(Lowering& node) {
  node.ignore("ratio");
  node.ignore("seed");
  if (node.in(2) != kNoValue) {
    const Tensor* training = node.constant(node.in(2));
    if (training == nullptr || training->type() != DType::boolean || training->elements() != 1)
      return unsupported("a training_mode that is known only when it runs");
    const Tensor* ratio = node.constant(node.in(1));
    const bool drops_none = ratio != nullptr && ratio->type() == DType::f32 && ratio->elements() == 1 &&
                            ratio->values<float>()[0] == 0;
    if (training->values<bool>()[0] && !drops_none) return unsupported("training_mode = 1");
  }
  if (node.out(1) != kNoValue) {
    const ValueId shape = node.make(ShapeOf{}, {node.in(0)});
    node.add(ConstantOfShape{}, {shape, node.scalar(1, DType::boolean)}, {node.out(1)});
  }
  return node.give(Identity{}, {node.in(0)});
}

Status reshape(Lowering& node) {
  Reshape op;
  op.allow_zero = node.flag("allowzero");
  return node.same(op);
}

constexpr std::array kMovementRows = std::to_array<OpRow>({
    {"Identity", [](Lowering& node) { return node.same(Identity{}); }},
    {"Dropout", dropout},
    {"Reshape", reshape},
    {"Flatten", [](Lowering& node) { return node.same(Flatten{node.integer("axis", 1)}); }},
    {"Squeeze", with_axes<Squeeze>},
    {"Unsqueeze", with_axes<Unsqueeze>},
    {"Transpose", [](Lowering& node) { return node.same(Transpose{node.integers("perm")}); }},
    {"Concat", [](Lowering& node) { return node.same(Concat{node.required_integer("axis")}); }},
    {"Split", split},
    {"Slice", slice},
    {"Pad", pad},
    {"Expand", [](Lowering& node) { return node.same(Expand{}); }},
    {"Tile", [](Lowering& node) { return node.same(Tile{}); }},
    {"Gather", [](Lowering& node) { return node.same(Gather{node.integer("axis", 0)}); }},
    {"GatherElements", [](Lowering& node) { return node.same(GatherElements{node.integer("axis", 0)}); }},
    {"GatherND", [](Lowering& node) { return node.same(GatherNd{node.integer("batch_dims", 0)}); }},
    {"Scatter", scatter_elements},
    {"ScatterElements", scatter_elements},
    {"ScatterND", [](Lowering& node) { return node.same(ScatterNd{read_reduction(node)}); }},
    {"DepthToSpace", depth_to_space},
    {"SpaceToDepth", [](Lowering& node) { return node.same(SpaceToDepth{node.required_integer("blocksize")}); }},
    {"ReverseSequence", reverse_sequence},
    {"Trilu", [](Lowering& node) { return node.same(Triangle{node.flag("upper", true)}); }},
    {"Compress", compress},
    {"CenterCropPad", [](Lowering& node) { return node.same(CenterCropPad{node.integers("axes")}); }},
});

}  // namespace

std::span<const OpRow> movement_rows() { return kMovementRows; }

}  // namespace halftone::onnx
