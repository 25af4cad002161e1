// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "runtime/network/op_context.h"
#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/types.h"

namespace halftone::network {
namespace {

// Ops that compute, in wide types (ops/types.h): a bit for every output that has the type of the first input. The
// others see their inputs as they are.
template <class Type>
constexpr unsigned kComputed = 0;
#define HALFTONE_COMPUTED(type, outputs) \
  template <>                            \
  constexpr unsigned kComputed<type> = outputs;
constexpr unsigned kNoneOfThem = 1u << 31;  // wide inputs, outputs of their own type
HALFTONE_COMPUTED(Unary, 1)
HALFTONE_COMPUTED(Binary, 1)
HALFTONE_COMPUTED(Clip, 1)
HALFTONE_COMPUTED(MatMul, 1)
HALFTONE_COMPUTED(Gemm, 1)
HALFTONE_COMPUTED(Conv, 1)
HALFTONE_COMPUTED(ConvTranspose, 1)
HALFTONE_COMPUTED(Pool, 1)
HALFTONE_COMPUTED(Reduce, 1)
HALFTONE_COMPUTED(ArgReduce, kNoneOfThem)
HALFTONE_COMPUTED(Cumulate, 1)
HALFTONE_COMPUTED(Softmax, 1)
HALFTONE_COMPUTED(TopK, 1)
HALFTONE_COMPUTED(BatchNorm, 1)
HALFTONE_COMPUTED(InstanceNorm, 1)
HALFTONE_COMPUTED(GroupNorm, 1)
HALFTONE_COMPUTED(LayerNorm, 1)
HALFTONE_COMPUTED(RmsNorm, 1)
HALFTONE_COMPUTED(LpNorm, 1)
HALFTONE_COMPUTED(LocalResponseNorm, 1)
HALFTONE_COMPUTED(Range, 1)
HALFTONE_COMPUTED(Resize, 1)
HALFTONE_COMPUTED(GridSample, 1)
HALFTONE_COMPUTED(AffineGrid, 1)
HALFTONE_COMPUTED(RoiAlign, 1)
HALFTONE_COMPUTED(Col2Im, 1)
HALFTONE_COMPUTED(NonMaxSuppression, kNoneOfThem)
HALFTONE_COMPUTED(Recurrent, 7)
HALFTONE_COMPUTED(Attention, 15)
HALFTONE_COMPUTED(RotaryEmbedding, 1)
HALFTONE_COMPUTED(Einsum, 1)
#undef HALFTONE_COMPUTED

// Scatters combine numbers only with a reduction.
unsigned computed_outputs(const ScatterElements& op) { return op.reduction == ScatterReduction::none ? 0 : 1; }
unsigned computed_outputs(const ScatterNd& op) { return op.reduction == ScatterReduction::none ? 0 : 1; }
template <class Type>
unsigned computed_outputs(const Type&) {
  return kComputed<Type>;
}

template <class Type>
Status run_wide(const Type& op, unsigned outputs, OpContext& context) {
  std::vector<Tensor> inputs(context.inputs.begin(), context.inputs.end());
  bool widened = false;
  for (Tensor& input : inputs) {
    if (!input.present() || ops::wide(input.type()) == input.type()) continue;
    HALFTONE_ASSIGN(input, ops::convert(input, ops::wide(input.type())));
    widened = true;
  }
  if (!widened) return ops::run(op, context);
  OpContext inner{inputs, context.outputs, context.pool, context.kept, context.ending, context.packed, context.scratch};
  HALFTONE_TRY(ops::run(op, inner));
  const DType type = context.inputs[0].present() ? context.inputs[0].type() : DType::f32;
  for (size_t i = 0; i < context.outputs.size() && i < 31; ++i) {
    Tensor& output = context.outputs[i];
    if ((outputs >> i & 1) == 0 || !output.present() || output.type() != ops::wide(type)) continue;
    HALFTONE_ASSIGN(output, ops::convert(output, type));
  }
  return {};
}

}  // namespace

Status run_op(const Op& op, OpContext& context) {
  return std::visit(
      [&](const auto& node) {
        const unsigned outputs = computed_outputs(node);
        return outputs == 0 ? ops::run(node, context) : run_wide(node, outputs, context);
      },
      op);
}

}  // namespace halftone::network
