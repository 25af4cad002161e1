// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "formats/onnx/lowering.h"

namespace halftone::onnx {
namespace {

using namespace network;  // NOLINT(google-build-using-namespace): ops by their own names

constexpr float kEpsilon = 1e-5F;

Status batch_norm(Lowering& node) {
  const float epsilon = node.number("epsilon", kEpsilon);
  node.ignore("momentum");
  if (node.integer("spatial", 1) != 1) return unsupported("spatial = 0");
  if (node.flag("training_mode")) return unsupported("training_mode = 1");
  if (node.outputs() > 1 && node.out(1) != kNoValue) return unsupported("outputs of training");
  return node.give(BatchNorm{epsilon}, node.all_in());
}

Status group_norm(Lowering& node) {
  node.ignore("stash_type");  // we compute in no less than float32
  return node.same(GroupNorm{node.required_integer("num_groups"), node.number("epsilon", kEpsilon)});
}

Status layer_norm(Lowering& node) {
  node.ignore("stash_type");
  return node.same(LayerNorm{node.integer("axis", -1), node.number("epsilon", kEpsilon)});
}

Status rms_norm(Lowering& node) {
  node.ignore("stash_type");
  return node.same(RmsNorm{node.integer("axis", -1), node.number("epsilon", kEpsilon)});
}

// (x - mean) / (deviation + 1e-9)
Status mean_variance(Lowering& node) {
  const DType type = node.type_of(node.in(0)).value_or(DType::f32);
  std::vector<int64_t> said = node.integers("axes");
  if (!node.has("axes")) said = {0, 2, 3};
  const ValueId axes = node.integers_value(std::move(said));
  const ValueId mean = node.make(Reduce{ReduceKind::mean}, {node.in(0), axes});
  const ValueId centered = node.make(Binary{BinaryKind::subtract}, {node.in(0), mean});
  const ValueId squares = node.make(Unary{UnaryKind::square}, {centered});
  const ValueId deviation = node.make(Unary{UnaryKind::sqrt}, {node.make(Reduce{ReduceKind::mean}, {squares, axes})});
  const ValueId divisor = node.make(Binary{BinaryKind::add}, {deviation, node.scalar(1e-9, type)});
  return node.give(Binary{BinaryKind::divide}, {centered, divisor});
}

Status local_response(Lowering& node) {
  return node.same(LocalResponseNorm{node.number("alpha", 1e-4F), node.number("beta", 0.75F), node.number("bias", 1),
                                     node.required_integer("size")});
}

constexpr std::array kNormalisationRows = std::to_array<OpRow>({
    {"BatchNormalization", batch_norm},
    {"InstanceNormalization",
     [](Lowering& node) { return node.same(InstanceNorm{node.number("epsilon", kEpsilon)}); }},
    {"GroupNormalization", group_norm},
    {"LayerNormalization", layer_norm},
    {"RMSNormalization", rms_norm},
    {"SimplifiedLayerNormalization", rms_norm},
    {"LpNormalization",
     [](Lowering& node) { return node.same(LpNorm{node.integer("axis", -1), node.integer("p", 2)}); }},
    {"LRN", local_response},
    {"MeanVarianceNormalization", mean_variance},
});

}  // namespace

std::span<const OpRow> normalisation_rows() { return kNormalisationRows; }

}  // namespace halftone::onnx
