// SPDX-License-Identifier: Apache-2.0
#include "quantize/network/sample_runs.h"

#include "base/error.h"
#include "runtime/network/op_context.h"

namespace halftone {

using network::kNoValue;
using network::ValueId;

SampleRuns::SampleRuns(const network::Network& network, const std::vector<Tensor>& samples, ThreadPool& pool,
                       int64_t kept_bytes)
    : network_(network),
      samples_(samples),
      pool_(pool),
      room_(kept_bytes),
      constants_(network.values.size()),
      dies_after_(network.nodes.size()),
      made_(network.nodes.size()),
      places_(samples.size()) {
  for (const auto& [id, tensor] : network.constants) constants_[static_cast<size_t>(id)] = tensor;
  std::vector<size_t> last(network.values.size(), SIZE_MAX);
  for (size_t i = 0; i < network.nodes.size(); ++i) {
    for (const auto& ids : {network.nodes[i].outputs, network.nodes[i].inputs})
      for (const ValueId id : ids)
        if (id != kNoValue) last[static_cast<size_t>(id)] = i;
  }
  for (size_t id = 0; id < last.size(); ++id)
    if (last[id] != SIZE_MAX) dies_after_[last[id]].push_back(static_cast<ValueId>(id));
}

void SampleRuns::replace(ValueId id, Tensor numbers) {
  constants_[static_cast<size_t>(id)] = std::move(numbers);
  for (size_t i = 0; i < network_.nodes.size(); ++i)
    for (const ValueId read : network_.nodes[i].inputs)
      if (read == id) made_[i] = nullptr;
}

Status SampleRuns::compute(const network::Node& node, size_t index, std::vector<Tensor>& values) {
  std::vector<Tensor> read, written(node.outputs.size());
  for (const ValueId id : node.inputs) {
    const auto at = static_cast<size_t>(id);
    read.push_back(id == kNoValue ? Tensor() : constants_[at].present() ? constants_[at] : values[at]);
  }
  const bool keeps = node.inputs.size() > 1 && node.inputs[1] != kNoValue && constant(node.inputs[1]).present();
  network::OpContext context{read, written, pool_, keeps ? &made_[index] : nullptr};
  if (const Status status = network::run_op(node.op, context); !status.ok())
    return Status(status.code(), fmt::format("node {} ({}): {}", node.name, name_of(node.op), status.message()));
  for (size_t k = 0; k < written.size(); ++k)
    if (node.outputs[k] != kNoValue) values[static_cast<size_t>(node.outputs[k])] = std::move(written[k]);
  for (const ValueId id : dies_after_[index]) values[static_cast<size_t>(id)] = Tensor();
  return {};
}

Result<Tensor> SampleRuns::input_of(size_t node, size_t sample) {
  Place place = std::move(places_[sample]);
  places_[sample] = {};
  room_ += place.bytes;
  if (place.values.empty()) {
    place.node = 0;
    place.values.resize(network_.values.size());
    place.values[static_cast<size_t>(network_.inputs[0].value)] = samples_[sample];
  }
  HALFTONE_CHECK(place.node <= node);
  for (; place.node < node; ++place.node) HALFTONE_TRY(compute(network_.nodes[place.node], place.node, place.values));
  const ValueId id = network_.nodes[node].inputs[0];
  const Tensor& fixed = constant(id);
  const Tensor result = fixed.present() ? fixed : place.values[static_cast<size_t>(id)];
  place.bytes = 0;
  for (const Tensor& value : place.values)
    if (value.present()) place.bytes += value.size_bytes();
  if (place.bytes > room_) return result;
  room_ -= place.bytes;
  places_[sample] = std::move(place);
  return result;
}

}  // namespace halftone
