// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "graph/network/network.h"
#include "halftone/status.h"
#include "tensor/tensor.h"

namespace halftone {

// A network on its way through many samples, front to back: where it waits before a node, constants that only nodes
// from there on read can still change. What is alive at that place stays in memory up to a limit; samples beyond it are
// computed again from their beginning.
class SampleRuns {
 public:
  static constexpr int64_t kKeptBytes = int64_t{1} << 30;

  // Borrows all. Samples: of the shape that the network's only input takes.
  SampleRuns(const network::Network& network, const std::vector<Tensor>& samples, ThreadPool& pool,
             int64_t kept_bytes = kKeptBytes);

  // What the node reads first, of one sample. An error names the node that failed.
  // REQUIRES: no earlier node than the one asked for last
  Result<Tensor> input_of(size_t node, size_t sample);
  const Tensor& constant(network::ValueId id) const { return constants_[static_cast<size_t>(id)]; }
  void replace(network::ValueId id, Tensor numbers);

 private:
  struct Place {
    size_t node = 0;
    std::vector<Tensor> values = {};  // by ValueId; empty: not begun, or not kept
    int64_t bytes = 0;
  };
  Status compute(const network::Node& node, size_t index, std::vector<Tensor>& values);

  const network::Network& network_;
  const std::vector<Tensor>& samples_;
  ThreadPool& pool_;
  int64_t room_;
  std::vector<Tensor> constants_;                          // by ValueId
  std::vector<std::vector<network::ValueId>> dies_after_;  // by node
  std::vector<std::shared_ptr<const void>> made_;          // by node: what ops made of constants
  std::vector<Place> places_;                              // by sample
};

}  // namespace halftone
