// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"
#include "models/config.h"

namespace halftone {

// The decoder that Llama made common: pre-norm attention with rope, SwiGLU, RMS norms. What differs between families is
// in the config: biases, q/k norms, windows, the head size, tied embeddings.
Result<Graph> build_decoder(const ModelConfig& config);

}  // namespace halftone
