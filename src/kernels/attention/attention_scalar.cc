// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention_lanes.h"
#include "kernels/lanes/lanes_scalar.h"

namespace halftone {

void attention_scalar(const AttentionArgs& args);
void attention_scalar(const AttentionArgs& args) { attend(args); }

}  // namespace halftone
