// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/network/ops.h"

namespace halftone::network::ops {

// y[i] = op(x[i]) of floats, as run(Unary) computes it. False: gives no floats.
bool unary_floats(const Unary& op, const float* x, float* y, int64_t count);

}  // namespace halftone::network::ops
