// SPDX-License-Identifier: Apache-2.0
#define HALFTONE_LANES "kernels/lanes/lanes_neon.h"
#include "kernels/attention/attention_lanes.h"

namespace halftone {

void attention_neon(const AttentionArgs& args);
void attention_neon(const AttentionArgs& args) { attend(args); }

}  // namespace halftone
