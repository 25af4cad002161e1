// SPDX-License-Identifier: Apache-2.0
// What follows a convolution and can happen before its sums are stored: a sum with another image, a lower and an upper
// limit.
#pragma once

#include <limits>
#include <vector>

#include "graph/network/network.h"

namespace halftone::network {

// y = min(max(y + added, least), most), as Binary add and Clip compute it.
struct Ending {
  bool adds = false;  // the node's last input; convolutions have it as their fourth
  float least = -std::numeric_limits<float>::infinity(), most = std::numeric_limits<float>::infinity();

  bool limits() const { return least != -std::numeric_limits<float>::infinity() || most != -least; }
};
inline constexpr size_t kAddedInput = 3;  // of a convolution

// Makes nodes that follow convolutions of f32 with channels last endings of these: one per node of `network`, which has
// fewer nodes afterwards and computes the same, bit for bit.
std::vector<Ending> plan_endings(Network& network);

}  // namespace halftone::network
