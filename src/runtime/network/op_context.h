// SPDX-License-Identifier: Apache-2.0
// What an op is run with, and the ops: each family is a file of ops/, each op one overload of run_op.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "graph/network/ops.h"
#include "halftone/status.h"
#include "tensor/tensor.h"

namespace halftone::network {

struct Ending;
struct PackedInput;

// Memory that convolutions and products work in, kept from node to node.
struct Scratch {
  std::vector<AlignedBuffer<std::byte>> of_thread;
  AlignedBuffer<float> image, rows, scales;
  AlignedBuffer<int8_t> codes;
  AlignedBuffer<int32_t> sums;
};

struct OpContext {
  std::span<const Tensor> inputs;  // absent ones are not present()
  std::span<Tensor> outputs;       // to be set; all of them, wanted or not
  ThreadPool& pool;
  // What the op made of its second input, where that is a constant: kept from run to run. Null: nothing may be kept.
  std::shared_ptr<const void>* kept = nullptr;
  // What happens to the numbers of a convolution before they are stored. Null: nothing.
  const Ending* ending = nullptr;
  // The second input, which is absent, as codes and scales (ops/packed.h). Null: it is not packed.
  const PackedInput* packed = nullptr;
  Scratch* scratch = nullptr;  // null: the op makes its own

  // Input i, or an absent one where the node has fewer.
  const Tensor& input(size_t i) const;
};

// Computes a node; numbers narrower than 32 bits in wider ones, rounded at the end. Messages need not name it: the
// runner does.
Status run_op(const Op& op, OpContext& context);

}  // namespace halftone::network
