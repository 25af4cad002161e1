// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention_lanes.h"
#include "kernels/lanes/lanes_avx2.h"

namespace halftone {

void attention_avx2(const AttentionArgs& args);
void attention_avx2(const AttentionArgs& args) { attend(args); }

}  // namespace halftone
