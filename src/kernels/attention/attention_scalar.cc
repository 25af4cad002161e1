// SPDX-License-Identifier: Apache-2.0
#define HALFTONE_LANES "kernels/lanes/lanes_scalar.h"
#include "kernels/attention/attention_lanes.h"

namespace halftone {

void attention_scalar(const AttentionArgs& args);
void attention_scalar(const AttentionArgs& args) { attend(args); }

}  // namespace halftone
