// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "runtime/network/op_context.h"
#include "runtime/network/ops/ops.h"

namespace halftone::network {

Status run_op(const Op& op, OpContext& context) {
  return std::visit([&](const auto& node) { return ops::run(node, context); }, op);
}

}  // namespace halftone::network
