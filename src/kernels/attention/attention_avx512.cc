// SPDX-License-Identifier: Apache-2.0
#define HALFTONE_LANES "kernels/lanes/lanes_avx512.h"
#include "kernels/attention/attention_lanes.h"

namespace halftone {

void attention_avx512(const AttentionArgs& args);
void attention_avx512(const AttentionArgs& args) { attend(args); }

}  // namespace halftone
