// SPDX-License-Identifier: Apache-2.0
// Runs a network: one node after the other, shapes known when they are met. A value is freed after its last reader.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "graph/network/network.h"
#include "halftone/status.h"
#include "runtime/network/endings.h"
#include "runtime/network/ops/packed.h"
#include "tensor/tensor.h"

namespace halftone::network {

class Runner {
 public:
  // `activations`: what packed constants are multiplied with; automatic is int8 where a kernel exists. REQUIRES:
  // `network` went through finish().
  Runner(std::shared_ptr<const Network> network, ThreadPool& pool, Activations activations = Activations::automatic);

  // One tensor per input of the network → one per output. An error names the input or the node. Not shared between
  // threads.
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs);

  const Network& network() const { return *network_; }
  Activations activations_used() const { return used_; }  // int8 where any node computes so

 private:
  void plan_packed(Activations activations);
  Status check_inputs(std::span<const Tensor> inputs) const;
  Result<Tensor> decoded(const PackedConstant& packed);

  std::shared_ptr<const Network> network_, planned_;  // as given; as it runs (layouts.h, endings.h)
  ThreadPool& pool_;
  Activations used_ = Activations::exact;
  std::map<size_t, PackedInput> packed_;  // by node
  Scratch scratch_;
  std::vector<Ending> endings_;                    // by node
  std::vector<std::vector<ValueId>> dies_after_;   // by node
  std::vector<std::shared_ptr<const void>> kept_;  // by node: what ops made of constants
};

}  // namespace halftone::network
