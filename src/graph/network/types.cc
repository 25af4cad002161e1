// SPDX-License-Identifier: Apache-2.0
#include "graph/network/types.h"

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

}  // namespace

Types output_types(const Op& op, std::span<const MaybeType> inputs, size_t count) {
  Types types = std::visit(OutputTypes{inputs}, op);
  types.resize(count, types.back());
  return types;
}

}  // namespace halftone::network
