// SPDX-License-Identifier: Apache-2.0
#include "runtime/network/runner.h"

#include <fmt/format.h>

#include "base/error.h"
#include "runtime/network/endings.h"
#include "runtime/network/layouts.h"
#include "runtime/network/op_context.h"

namespace halftone::network {

const Tensor& OpContext::input(size_t i) const {
  static const Tensor kAbsent;
  return i < inputs.size() ? inputs[i] : kAbsent;
}

Runner::Runner(std::shared_ptr<const Network> network, ThreadPool& pool, Activations activations)
    : network_(std::move(network)), pool_(pool) {
  Network graph = *plan_layouts(network_);
  endings_ = plan_endings(graph);
  constexpr size_t kNever = SIZE_MAX;
  std::vector<size_t> last(graph.values.size(), kNever);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const ValueId id : graph.nodes[i].outputs)
      if (id != kNoValue) last[static_cast<size_t>(id)] = i;  // what nobody reads dies where it is written
    for (const ValueId id : graph.nodes[i].inputs)
      if (id != kNoValue) last[static_cast<size_t>(id)] = i;
  }
  for (const Port& port : graph.outputs) last[static_cast<size_t>(port.value)] = kNever;
  kept_.resize(graph.nodes.size());
  dies_after_.resize(graph.nodes.size());
  for (size_t id = 0; id < last.size(); ++id)
    if (last[id] != kNever) dies_after_[last[id]].push_back(static_cast<ValueId>(id));
  planned_ = std::make_shared<const Network>(std::move(graph));
  plan_packed(activations);
}

void Runner::plan_packed(Activations activations) {
  const Result<Isa> active = active_isa();
  const Isa isa = active.ok() ? *active : Isa::scalar;
  for (size_t i = 0; i < planned_->nodes.size(); ++i) {
    const Node& node = planned_->nodes[i];
    if (node.inputs.size() < 2) continue;
    const auto packed = planned_->packed.find(node.inputs[1]);
    if (packed == planned_->packed.end() || !ops::takes_packed(node.op, packed->second)) continue;
    const Activations used = ops::packed_activations(packed->second, activations, isa);
    if (used != Activations::exact) used_ = used;
    packed_.emplace(i, PackedInput{packed->second, used, isa});
  }
}

Status Runner::check_inputs(std::span<const Tensor> inputs) const {
  const Network& graph = *network_;
  if (inputs.size() != graph.inputs.size())
    return invalid_input("[network] expected {} inputs, got {}", graph.inputs.size(), inputs.size());
  std::map<std::string, int64_t> symbols;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Port& port = graph.inputs[i];
    const Tensor& given = inputs[i];
    const std::string& name = graph.name_of(port.value);
    if (!given.present() || given.type() != port.type)
      return invalid_input("[network] input {}: expected {}, got {}", name, halftone::name_of(port.type),
                           given.present() ? halftone::name_of(given.type()) : "nothing");
    if (!port.has_shape) continue;
    bool fits = given.rank() == static_cast<int64_t>(port.shape.size());
    for (size_t axis = 0; fits && axis < port.shape.size(); ++axis) {
      const Dimension& wanted = port.shape[axis];
      int64_t size = wanted.size;
      if (size < 0 && !wanted.symbol.empty())
        size = symbols.try_emplace(wanted.symbol, given.shape()[axis]).first->second;
      fits = size < 0 || size == given.shape()[axis];
    }
    if (fits) continue;
    std::string expected;
    for (const Dimension& wanted : port.shape)
      expected += (expected.empty() ? "" : ", ") + (wanted.size >= 0        ? std::to_string(wanted.size)
                                                    : wanted.symbol.empty() ? "any"
                                                                            : wanted.symbol);
    return invalid_input("[network] input {}: expected shape [{}], got {}", name, expected, text_of(given.shape()));
  }
  return {};
}

// Where no kernel reads codes: the numbers of one constant, alive while its node runs.
Result<Tensor> Runner::decoded(const PackedConstant& packed) {
  HALFTONE_ASSIGN(Tensor tensor, Tensor::make(DType::f32, packed.shape));
  float* out = tensor.mutable_values<float>().data();
  const int64_t columns = packed.matrix.columns;
  pool_.parallel_for(packed.matrix.rows, 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) decode_row(packed.matrix, row, out + row * columns);
  });
  return tensor;
}

Result<std::vector<Tensor>> Runner::run(std::span<const Tensor> inputs) {
  HALFTONE_TRY(check_inputs(inputs));
  const Network& graph = *planned_;
  std::vector<Tensor> values(graph.values.size());
  for (size_t i = 0; i < inputs.size(); ++i) values[static_cast<size_t>(graph.inputs[i].value)] = inputs[i];
  for (const auto& [id, tensor] : graph.constants) values[static_cast<size_t>(id)] = tensor;
  std::vector<Tensor> read, written;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    read.clear();
    const auto packed = packed_.find(i);
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const ValueId id = node.inputs[k];
      read.push_back(id == kNoValue ? Tensor() : values[static_cast<size_t>(id)]);
      const auto codes = graph.packed.find(id);
      if (codes == graph.packed.end() || (k == 1 && packed != packed_.end())) continue;
      HALFTONE_ASSIGN(read.back(), decoded(codes->second));
    }
    written.assign(node.outputs.size(), Tensor());
    const bool keeps = node.inputs.size() > 1 && graph.constants.contains(node.inputs[1]);
    OpContext context{read,         written,
                      pool_,        keeps ? &kept_[i] : nullptr,
                      &endings_[i], packed == packed_.end() ? nullptr : &packed->second,
                      &scratch_};
    if (const Status status = run_op(node.op, context); !status.ok())
      return Status(status.code(),
                    fmt::format("[network] node {} ({}): {}", node.name, name_of(node.op), status.message()));
    for (size_t k = 0; k < written.size(); ++k)
      if (node.outputs[k] != kNoValue) values[static_cast<size_t>(node.outputs[k])] = std::move(written[k]);
    for (const ValueId id : dies_after_[i]) values[static_cast<size_t>(id)] = Tensor();
  }
  std::vector<Tensor> outputs;
  for (const Port& port : graph.outputs) outputs.push_back(values[static_cast<size_t>(port.value)]);
  return outputs;
}

}  // namespace halftone::network
