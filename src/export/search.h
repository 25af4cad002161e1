// SPDX-License-Identifier: Apache-2.0
// Codes, scales and bases for formats of other runtimes, by least squares over several roundings of the same numbers:
// for each candidate step the codes are rounded, the line through (code, weight) that fits best replaces the candidate,
// and the smallest squared error wins. What is stored (f16, 6-bit factors) is rounded before codes are chosen for good.
#pragma once

#include <cstdint>

#include "formats/gguf/blocks.h"

namespace halftone {

// One group: weight = u * scale + base, u in 0 .. 2^bits - 1; codes as our layouts count, u - 2^(bits - 1). A scale or
// base of infinity: the weights are too large for f16. REQUIRES: finite values.
void search_affine(int bits, const float* values, int count, int8_t* codes, uint16_t& scale, uint16_t& base);

// 256 weights as a super-block of q4_k, q5_k or q6_k. False: too large for f16.
bool search_super_block(GgmlTypeId type, const float* values, KBlock& out);

}  // namespace halftone
