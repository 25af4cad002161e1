// SPDX-License-Identifier: Apache-2.0
// Rewrites a network into one of fewer, larger ops that computes the same (up to the rounding of floats).
#pragma once

#include "graph/network/network.h"

namespace halftone::network {

// What the passes made, for people and tests.
struct Simplified {
  int identities = 0, activations = 0, norms = 0, attentions = 0, folded = 0, dead = 0;
};

// REQUIRES: the network went through finish(); it has again afterwards. Inputs, outputs and their names stay.
Result<Simplified> simplify(Network& network);

}  // namespace halftone::network
