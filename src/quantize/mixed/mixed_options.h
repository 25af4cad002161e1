// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/layout.h"

namespace halftone {

// How matrices that no rule takes get their layouts. Exactly one of target_bits and max_bytes is above 0.
struct MixedOptions {
  double target_bits = 0;                // of all tensors, vectors and scales counted (QuantizeReport::bits_per_weight)
  int64_t max_bytes = 0;                 // of weights.safetensors
  std::vector<const Layout*> layouts;    // to choose from, at least two
  std::string method = "gptq";           // where it cannot fill a layout: the layout's own
  int64_t tokens = 2048;                 // of the calibration, to judge with
  int64_t trials = 0;                    // that refine may measure; 0: as many as there are candidates, at least 100
  double kl_per_millisecond = 0;         // nats that a millisecond per token is worth, with
  std::vector<double> nanoseconds = {};  // of each layout, per weight; empty: speed does not count
};

}  // namespace halftone
