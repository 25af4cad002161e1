// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace halftone {

struct TuneOptions {
  int64_t steps = 0;  // 0: nothing is tuned
  int64_t batch_tokens = 2048;
  double rate = 0.006;  // of the first steps, relative to the size of each number; it falls to zero
};

}  // namespace halftone
