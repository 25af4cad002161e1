// SPDX-License-Identifier: Apache-2.0
// What an op is run with, and the ops: each family is a file of ops/, each op one overload of run_op.
#pragma once

#include <span>

#include "base/thread_pool.h"
#include "graph/network/ops.h"
#include "halftone/status.h"
#include "tensor/tensor.h"

namespace halftone::network {

struct OpContext {
  std::span<const Tensor> inputs;  // absent ones are not present()
  std::span<Tensor> outputs;       // to be set; all of them, wanted or not
  ThreadPool& pool;

  // Input i, or an absent one where the node has fewer.
  const Tensor& input(size_t i) const;
};

// Computes a node; numbers narrower than 32 bits in wider ones, rounded at the end. Messages need not name it: the
// runner does.
Status run_op(const Op& op, OpContext& context);

}  // namespace halftone::network
