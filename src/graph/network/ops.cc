// SPDX-License-Identifier: Apache-2.0
#include "graph/network/ops.h"

namespace halftone::network {

#define HALFTONE_NAME_ROW(name) std::string_view(#name),

std::string_view name_of(UnaryKind kind) {
  static constexpr std::array kNames = {HALFTONE_UNARY_OPS(HALFTONE_NAME_ROW)};
  return kNames[static_cast<size_t>(kind)];
}

std::string_view name_of(BinaryKind kind) {
  static constexpr std::array kNames = {HALFTONE_BINARY_OPS(HALFTONE_NAME_ROW)};
  return kNames[static_cast<size_t>(kind)];
}

#undef HALFTONE_NAME_ROW

namespace {

struct NameOf {
  std::string_view operator()(const Unary& op) const { return name_of(op.kind); }
  std::string_view operator()(const Binary& op) const { return name_of(op.kind); }
#define HALFTONE_OP_NAME(type, name) \
  std::string_view operator()(const type&) const { return name; }
  HALFTONE_OP_NAME(Where, "where")
  HALFTONE_OP_NAME(Clip, "clip")
  HALFTONE_OP_NAME(Cast, "cast")
  HALFTONE_OP_NAME(MatMul, "matmul")
  HALFTONE_OP_NAME(Gemm, "gemm")
  HALFTONE_OP_NAME(IntegerMatMul, "integer_matmul")
  HALFTONE_OP_NAME(Conv, "conv")
  HALFTONE_OP_NAME(IntegerConv, "integer_conv")
  HALFTONE_OP_NAME(ConvTranspose, "conv_transpose")
  HALFTONE_OP_NAME(Pool, "pool")
  HALFTONE_OP_NAME(MaxUnpool, "max_unpool")
  HALFTONE_OP_NAME(Reduce, "reduce")
  HALFTONE_OP_NAME(ArgReduce, "arg_reduce")
  HALFTONE_OP_NAME(Cumulate, "cumulate")
  HALFTONE_OP_NAME(Softmax, "softmax")
  HALFTONE_OP_NAME(TopK, "top_k")
  HALFTONE_OP_NAME(BatchNorm, "batch_norm")
  HALFTONE_OP_NAME(InstanceNorm, "instance_norm")
  HALFTONE_OP_NAME(GroupNorm, "group_norm")
  HALFTONE_OP_NAME(LayerNorm, "layer_norm")
  HALFTONE_OP_NAME(RmsNorm, "rms_norm")
  HALFTONE_OP_NAME(LpNorm, "lp_norm")
  HALFTONE_OP_NAME(LocalResponseNorm, "local_response_norm")
  HALFTONE_OP_NAME(Identity, "identity")
  HALFTONE_OP_NAME(Reshape, "reshape")
  HALFTONE_OP_NAME(Flatten, "flatten")
  HALFTONE_OP_NAME(Squeeze, "squeeze")
  HALFTONE_OP_NAME(Unsqueeze, "unsqueeze")
  HALFTONE_OP_NAME(Transpose, "transpose")
  HALFTONE_OP_NAME(Concat, "concat")
  HALFTONE_OP_NAME(Split, "split")
  HALFTONE_OP_NAME(Slice, "slice")
  HALFTONE_OP_NAME(Pad, "pad")
  HALFTONE_OP_NAME(Expand, "expand")
  HALFTONE_OP_NAME(Tile, "tile")
  HALFTONE_OP_NAME(Gather, "gather")
  HALFTONE_OP_NAME(GatherElements, "gather_elements")
  HALFTONE_OP_NAME(GatherNd, "gather_nd")
  HALFTONE_OP_NAME(ScatterElements, "scatter_elements")
  HALFTONE_OP_NAME(ScatterNd, "scatter_nd")
  HALFTONE_OP_NAME(DepthToSpace, "depth_to_space")
  HALFTONE_OP_NAME(SpaceToDepth, "space_to_depth")
  HALFTONE_OP_NAME(ReverseSequence, "reverse_sequence")
  HALFTONE_OP_NAME(Triangle, "triangle")
  HALFTONE_OP_NAME(Compress, "compress")
  HALFTONE_OP_NAME(CenterCropPad, "center_crop_pad")
  HALFTONE_OP_NAME(ShapeOf, "shape_of")
  HALFTONE_OP_NAME(SizeOf, "size_of")
  HALFTONE_OP_NAME(ConstantOfShape, "constant_of_shape")
  HALFTONE_OP_NAME(Range, "range")
  HALFTONE_OP_NAME(OneHot, "one_hot")
  HALFTONE_OP_NAME(NonZero, "non_zero")
  HALFTONE_OP_NAME(EyeLike, "eye_like")
  HALFTONE_OP_NAME(NonMaxSuppression, "non_max_suppression")
  HALFTONE_OP_NAME(Resize, "resize")
  HALFTONE_OP_NAME(GridSample, "grid_sample")
  HALFTONE_OP_NAME(AffineGrid, "affine_grid")
  HALFTONE_OP_NAME(RoiAlign, "roi_align")
  HALFTONE_OP_NAME(Col2Im, "col2im")
  HALFTONE_OP_NAME(Quantize, "quantize")
  HALFTONE_OP_NAME(Dequantize, "dequantize")
  HALFTONE_OP_NAME(DynamicQuantize, "dynamic_quantize")
  HALFTONE_OP_NAME(Recurrent, "recurrent")
  HALFTONE_OP_NAME(Attention, "attention")
  HALFTONE_OP_NAME(RotaryEmbedding, "rotary_embedding")
  HALFTONE_OP_NAME(Einsum, "einsum")
#undef HALFTONE_OP_NAME
};

}  // namespace

std::string_view name_of(const Op& op) { return std::visit(NameOf{}, op); }

}  // namespace halftone::network
