// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "halftone/status.h"
#include "quantize/evaluate/sequences.h"

namespace halftone {

inline constexpr int64_t kHeldOutWindow = 128;  // tokens; more windows than the calibration has, for intervals

// A calibration in two parts that share no text.
struct HeldOut {
  Sequences calibration;
  std::vector<std::vector<int>> windows;  // of at most kHeldOutWindow tokens
  int64_t repeated = 0;                   // windows left out because their text also stands in the calibration
};

// Every tenth sequence is held out and cut; a sequence's first token begins each of its pieces when it is `bos`.
// Errors: fewer than two sequences, nothing left that the calibration does not repeat.
Result<HeldOut> hold_out_tenth(const Sequences& all, int bos);

}  // namespace halftone
