// SPDX-License-Identifier: Apache-2.0
#include "runtime/network/ops/ops.h"

namespace halftone::network::ops {

Status run(const Identity&, OpContext& context) {
  context.outputs[0] = context.input(0);
  return {};
}

Status run(const Unary& op, OpContext& context) {
  const Tensor& x = context.input(0);
  if (op.kind != UnaryKind::relu || x.type() != DType::f32) return unsupported("this op is not computed yet");
  HALFTONE_ASSIGN(Tensor y, Tensor::make(DType::f32, x.shape()));
  const auto from = x.values<float>();
  const auto to = y.mutable_values<float>();
  for (size_t i = 0; i < from.size(); ++i) to[i] = from[i] > 0 ? from[i] : 0;
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace halftone::network::ops
