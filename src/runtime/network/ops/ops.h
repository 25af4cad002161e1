// SPDX-License-Identifier: Apache-2.0
// One overload per op, in the files beside this one.
#pragma once

#include "base/error.h"
#include "runtime/network/op_context.h"

namespace halftone::network::ops {

Status run(const Unary& op, OpContext& context);
Status run(const Identity& op, OpContext& context);

// Until every op has its line above.
template <class Missing>
Status run(const Missing&, OpContext&) {
  return unsupported("this op is not computed yet");
}

}  // namespace halftone::network::ops
