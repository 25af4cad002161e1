// SPDX-License-Identifier: Apache-2.0
// Runs a network: one node after the other, shapes known when they are met. A value is freed after its last reader.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "graph/network/network.h"
#include "halftone/status.h"
#include "tensor/tensor.h"

namespace halftone::network {

class Runner {
 public:
  // REQUIRES: `network` went through finish().
  explicit Runner(std::shared_ptr<const Network> network, ThreadPool& pool);

  // One tensor per input of the network → one per output. An error names the input or the node. Not shared between
  // threads.
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs);

  const Network& network() const { return *network_; }

 private:
  Status check_inputs(std::span<const Tensor> inputs) const;
  Result<Tensor> decoded(const PackedConstant& packed);

  std::shared_ptr<const Network> network_;
  ThreadPool& pool_;
  std::vector<std::vector<ValueId>> dies_after_;  // by node
};

}  // namespace halftone::network
