// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/onnx/onnx.h"
#include "graph/network/passes/simplify.h"

// Any bytes as a model: refused with words, or a network whose constants hold what their shapes say and whose nodes
// read values that exist, before and after the passes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace halftone;
  const onnx::Source source{"fuzz", std::as_bytes(std::span(data, size)), nullptr, {}};
  auto network = onnx::import_model(source);
  if (!network.ok()) {
    HALFTONE_CHECK(!network.status().message().empty());
    return 0;
  }
  for (const auto& [id, tensor] : network->constants)
    HALFTONE_CHECK(tensor.present() && tensor.bytes().size() == static_cast<size_t>(tensor.size_bytes()));
  for (const network::Node& node : network->nodes)
    for (const network::ValueId id : node.inputs)
      HALFTONE_CHECK(id == network::kNoValue || static_cast<size_t>(id) < network->values.size());
  const size_t outputs = network->outputs.size();
  HALFTONE_CHECK(simplify(*network).ok() && network->outputs.size() == outputs);
  return 0;
}
