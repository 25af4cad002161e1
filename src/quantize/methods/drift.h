// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/methods/gptq.h"
#include "quantize/methods/grid.h"

namespace halftone {

// Moves the rows w of a panel to those that, multiplied with the inputs x that the quantized model has, come nearest to
// what the float model computes from its own inputs f: w + w D (H + damping)^-1, D the mean of (f - x) x^T. What is
// chosen for the moved rows then mends a part of what was lost before this matrix.
void follow_drift(const HessianFactor& shared, int64_t columns, Lanes* values);

}  // namespace halftone
