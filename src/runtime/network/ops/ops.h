// SPDX-License-Identifier: Apache-2.0
// One overload per op, in the files beside this one.
#pragma once

#include "base/error.h"
#include "runtime/network/op_context.h"

namespace halftone::network::ops {

#define HALFTONE_RUN_OP(type) Status run(const type& op, OpContext& context);
HALFTONE_RUN_OP(Unary)
HALFTONE_RUN_OP(Binary)
HALFTONE_RUN_OP(Where)
HALFTONE_RUN_OP(Clip)
HALFTONE_RUN_OP(Cast)
HALFTONE_RUN_OP(MatMul)
HALFTONE_RUN_OP(Gemm)
HALFTONE_RUN_OP(IntegerMatMul)
HALFTONE_RUN_OP(Conv)
HALFTONE_RUN_OP(IntegerConv)
HALFTONE_RUN_OP(Pool)
HALFTONE_RUN_OP(MaxUnpool)
HALFTONE_RUN_OP(Reduce)
HALFTONE_RUN_OP(ArgReduce)
HALFTONE_RUN_OP(Cumulate)
HALFTONE_RUN_OP(Softmax)
HALFTONE_RUN_OP(TopK)
HALFTONE_RUN_OP(BatchNorm)
HALFTONE_RUN_OP(InstanceNorm)
HALFTONE_RUN_OP(GroupNorm)
HALFTONE_RUN_OP(LayerNorm)
HALFTONE_RUN_OP(RmsNorm)
HALFTONE_RUN_OP(LpNorm)
HALFTONE_RUN_OP(LocalResponseNorm)
HALFTONE_RUN_OP(Identity)
HALFTONE_RUN_OP(Reshape)
HALFTONE_RUN_OP(Flatten)
HALFTONE_RUN_OP(Squeeze)
HALFTONE_RUN_OP(Unsqueeze)
HALFTONE_RUN_OP(Transpose)
HALFTONE_RUN_OP(Concat)
HALFTONE_RUN_OP(Split)
HALFTONE_RUN_OP(Slice)
HALFTONE_RUN_OP(Pad)
HALFTONE_RUN_OP(Expand)
HALFTONE_RUN_OP(Tile)
HALFTONE_RUN_OP(Gather)
HALFTONE_RUN_OP(GatherElements)
HALFTONE_RUN_OP(GatherNd)
HALFTONE_RUN_OP(ScatterElements)
HALFTONE_RUN_OP(ScatterNd)
HALFTONE_RUN_OP(DepthToSpace)
HALFTONE_RUN_OP(SpaceToDepth)
HALFTONE_RUN_OP(ReverseSequence)
HALFTONE_RUN_OP(Triangle)
HALFTONE_RUN_OP(Compress)
HALFTONE_RUN_OP(CenterCropPad)
HALFTONE_RUN_OP(ShapeOf)
HALFTONE_RUN_OP(SizeOf)
HALFTONE_RUN_OP(ConstantOfShape)
HALFTONE_RUN_OP(Range)
HALFTONE_RUN_OP(OneHot)
HALFTONE_RUN_OP(NonZero)
HALFTONE_RUN_OP(EyeLike)
HALFTONE_RUN_OP(Quantize)
HALFTONE_RUN_OP(Dequantize)
HALFTONE_RUN_OP(DynamicQuantize)
#undef HALFTONE_RUN_OP

// Until every op has its line above.
template <class Missing>
Status run(const Missing&, OpContext&) {
  return unsupported("this op is not computed yet");
}

}  // namespace halftone::network::ops
