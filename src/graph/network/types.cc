// SPDX-License-Identifier: Apache-2.0
#include "graph/network/types.h"

#include <type_traits>

namespace halftone::network {
namespace {

using Types = std::vector<MaybeType>;

bool gives_boolean(UnaryKind kind) {
  return kind == UnaryKind::is_nan || kind == UnaryKind::is_inf || kind == UnaryKind::logical_not;
}
bool gives_boolean(BinaryKind kind) {
  return kind >= BinaryKind::equal || kind == BinaryKind::logical_and || kind == BinaryKind::logical_or ||
         kind == BinaryKind::logical_xor;
}

// What each op gives where that is not the type of its first input. A list shorter than the outputs repeats its last.
struct OutputTypes {
  std::span<const MaybeType> inputs;

  MaybeType input(size_t i) const { return i < inputs.size() ? inputs[i] : MaybeType(); }

  template <class Other>
  Types operator()(const Other&) const {
    return {input(0)};
  }
  Types operator()(const Unary& op) const { return {gives_boolean(op.kind) ? DType::boolean : input(0)}; }
  Types operator()(const Binary& op) const { return {gives_boolean(op.kind) ? DType::boolean : input(0)}; }
  Types operator()(const Where&) const { return {input(1)}; }
  Types operator()(const Cast& op) const { return {op.to}; }
  Types operator()(const IntegerMatMul&) const { return {DType::i32}; }
  Types operator()(const IntegerConv&) const { return {DType::i32}; }
  Types operator()(const Pool&) const { return {input(0), DType::i64}; }
  Types operator()(const ArgReduce&) const { return {DType::i64}; }
  Types operator()(const TopK&) const { return {input(0), DType::i64}; }
  Types operator()(const LayerNorm&) const { return {input(0), DType::f32}; }
  Types operator()(const ShapeOf&) const { return {DType::i64}; }
  Types operator()(const SizeOf&) const { return {DType::i64}; }
  Types operator()(const ConstantOfShape&) const { return {input(1)}; }
  Types operator()(const OneHot&) const { return {input(2)}; }
  Types operator()(const NonZero&) const { return {DType::i64}; }
  Types operator()(const EyeLike& op) const { return {op.type}; }
  Types operator()(const NonMaxSuppression&) const { return {DType::i64}; }
  Types operator()(const Quantize& op) const { return {op.to}; }
  Types operator()(const Dequantize&) const { return {input(1)}; }
  Types operator()(const DynamicQuantize&) const { return {DType::u8, DType::f32, DType::u8}; }
  Types operator()(const Attention&) const { return {input(0), input(1), input(2), input(0)}; }
};

// Those that need more than one input.
template <class Op, class... List>
constexpr bool is_one_of = (std::is_same_v<Op, List> || ...);
template <class Op>
constexpr bool kNeedsTwo = is_one_of<Op, Binary, MatMul, Gemm, IntegerMatMul, Conv, IntegerConv, ConvTranspose,
                                     MaxUnpool, Cumulate, TopK, RmsNorm, Reshape, Unsqueeze, Pad, Expand, Tile, Gather,
                                     GatherElements, GatherNd, ReverseSequence, Compress, CenterCropPad,
                                     ConstantOfShape, NonMaxSuppression, GridSample, AffineGrid, Quantize, Dequantize>;
template <class Op>
constexpr bool kNeedsThree = is_one_of<Op, Where, Slice, InstanceNorm, GroupNorm, ScatterElements, ScatterNd, Range,
                                       OneHot, RoiAlign, Col2Im, Recurrent, Attention, RotaryEmbedding>;

}  // namespace

size_t least_inputs(const Op& op) {
  return std::visit(
      [](const auto& which) -> size_t {
        using T = std::decay_t<decltype(which)>;
        return std::is_same_v<T, BatchNorm> ? 5 : kNeedsThree<T> ? 3 : kNeedsTwo<T> ? 2 : 1;
      },
      op);
}

Types output_types(const Op& op, std::span<const MaybeType> inputs, size_t count) {
  Types types = std::visit(OutputTypes{inputs}, op);
  types.resize(count, types.back());
  return types;
}

}  // namespace halftone::network
