// SPDX-License-Identifier: Apache-2.0
#include "quantize/network/network_weights.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/file_map.h"
#include "formats/network/stored_network.h"
#include "graph/network/constant_uses.h"
#include "runtime/network/layouts.h"
#include "runtime/network/op_context.h"

namespace halftone {

namespace {

constexpr size_t kWeightInput = 1, kBiasInput = 2;

void set_transposed(network::Node& node) {
  if (auto* product = std::get_if<network::MatMul>(&node.op)) product->transpose_b = true;
  if (auto* gemm = std::get_if<network::Gemm>(&node.op)) gemm->transpose_b = true;
}

Tensor transposed(const Tensor& matrix) {
  const int64_t rows = matrix.dim(0), columns = matrix.dim(1);
  Result<Tensor> made = Tensor::make(DType::f32, {columns, rows});
  HALFTONE_CHECK(made.ok());  // as large as one that exists
  const auto from = matrix.values<float>();
  const auto to = made->mutable_values<float>();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      to[static_cast<size_t>(c * rows + r)] = from[static_cast<size_t>(r * columns + c)];
  return *std::move(made);
}

network::ValueId bias_of(const network::Network& network, const network::ConstantUse& matrix,
                         const std::vector<network::ConstantUse>& uses) {
  const network::Node& node = network.nodes[matrix.first];
  const auto* gemm = std::get_if<network::Gemm>(&node.op);
  const bool plain =
      gemm != nullptr ? gemm->alpha == 1 && gemm->beta == 1 : std::holds_alternative<network::Conv>(node.op);
  if (!plain || matrix.reads != 1 || node.inputs.size() <= kBiasInput) return network::kNoValue;
  const auto bias = std::find_if(uses.begin(), uses.end(),
                                 [&](const network::ConstantUse& use) { return use.value == node.inputs[kBiasInput]; });
  if (bias == uses.end() || bias->reads != 1) return network::kNoValue;
  const Tensor& numbers = network.constants.at(bias->value);
  const int64_t rows = network.constants.at(matrix.value).dim(0);
  const bool each = numbers.type() == DType::f32 && numbers.rank() > 0 && numbers.elements() == rows &&
                    numbers.dim(numbers.rank() - 1) == rows;
  return each ? bias->value : network::kNoValue;
}

Status refuse_codes(const NetworkFile& source, const std::vector<network::ConstantUse>& uses) {
  const network::Network& network = *source.network;
  if (!network.packed.empty())
    return invalid_input(
        "[quantize] {}: {}: expected float weights, got {}; quantizing twice adds a second loss, give the float model "
        "it was made from",
        source.path.string(), network.name_of(network.packed.begin()->first),
        network.packed.begin()->second.matrix.layout->name);
  const bool integer = std::any_of(network.nodes.begin(), network.nodes.end(), [](const network::Node& node) {
    return std::holds_alternative<network::Quantize>(node.op);
  });
  for (const network::ConstantUse& use : uses)
    if (use.codes && integer)
      return invalid_input(
          "[quantize] {}: {}: expected float weights, got integer codes; quantizing twice adds a second loss, give the "
          "float model it was made from",
          source.path.string(), network.name_of(use.value));
  return {};
}

// Constants in the place of every Dequantize of constants.
Status fold_codes(network::Network& network, ThreadPool& pool) {
  std::vector<network::Node> kept;
  for (network::Node& node : network.nodes) {
    const bool fixed = std::holds_alternative<network::Dequantize>(node.op) &&
                       std::all_of(node.inputs.begin(), node.inputs.end(), [&](network::ValueId id) {
                         return id == network::kNoValue || network.constants.count(id) != 0;
                       });
    if (!fixed) {
      kept.push_back(std::move(node));
      continue;
    }
    std::vector<Tensor> inputs, outputs(1);
    for (const network::ValueId id : node.inputs)
      inputs.push_back(id == network::kNoValue ? Tensor() : network.constants.at(id));
    network::OpContext context{inputs, outputs, pool};
    HALFTONE_TRY(network::run_op(node.op, context));
    network.constants[node.outputs[0]] = std::move(outputs[0]);
  }
  network.nodes = std::move(kept);
  return {};
}

}  // namespace

Result<NetworkWeights> weights_of(const NetworkFile& source, ThreadPool& pool) {
  HALFTONE_TRY(refuse_codes(source, network::constant_uses(*source.network)));
  NetworkWeights weights;
  weights.network = *source.network;
  HALFTONE_TRY(fold_codes(weights.network, pool));
  // Channels last, as kernels read packed weights: a window is a row of a matrix.
  weights.network = *network::plan_layouts(std::make_shared<const network::Network>(std::move(weights.network)));
  const std::vector<network::ConstantUse> uses = network::constant_uses(weights.network);
  weights.file.path = source.path;
  weights.file.container = source.container;
  weights.file.maps = source.maps;
  std::vector<std::set<std::string_view>> ops;
  for (const network::ConstantUse& use : uses) {
    Tensor& constant = weights.network.constants.at(use.value);
    const Layout* layout = float_layout_of(constant.type());
    if (layout == nullptr || constant.elements() == 0) continue;
    if (use.matrix && use.columns_first) {
      constant = transposed(constant);
      for (network::Node& node : weights.network.nodes)
        if (node.inputs.size() > kWeightInput && node.inputs[kWeightInput] == use.value) set_transposed(node);
    }
    StoredTensor tensor;
    tensor.name = weights.network.name_of(use.value);
    tensor.shape = {constant.elements()};
    if (use.matrix) tensor.shape = {constant.dim(0), constant.elements() / constant.dim(0)};
    tensor.layout = layout;
    tensor.element_type = constant.type();
    tensor.data = constant.bytes();
    tensor.file = source.path;
    weights.file.tensors.push_back(std::move(tensor));
    ops.push_back(use.matrix ? use.ops : std::set<std::string_view>{use.ops.contains("bias") ? "bias" : "constant"});
    if (use.matrix) weights.reads.push_back({use.value, use.first, bias_of(weights.network, use, uses)});
  }
  // Constants that nobody reads are not kept.
  std::erase_if(weights.network.constants, [&](const auto& entry) {
    return std::none_of(uses.begin(), uses.end(),
                        [&](const network::ConstantUse& use) { return use.value == entry.first; });
  });
  for (size_t i = 0; i < weights.file.tensors.size(); ++i) weights.uses.push_back({&weights.file.tensors[i], ops[i]});
  weights.file.config = network_config(weights.network);
  if (!source.input.is_null()) weights.file.config[kInputKey] = source.input;
  return weights;
}

}  // namespace halftone
