// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"
#include "models/config.h"

namespace halftone {

// The decoder that Llama made common: pre-norm attention with rope, a gated feed-forward, RMS norms. What differs
// between families is in the config: biases, q/k norms, windows, fused projections, soft caps, further norms, scales.
Result<Graph> build_decoder(const ModelConfig& config);

}  // namespace halftone
