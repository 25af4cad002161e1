// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/model.h"
#include "runtime/session.h"

namespace halftone {

// What a phase must do at least: the numerator of every fraction of a limit.
struct PhaseCost {
  double bytes = 0;                                                     // weights and KV cache read, KV cache written
  double int8_operations = 0, f32_operations = 0, bf16_operations = 0;  // a multiply-add is two
};

// `tokens` tokens appended in chunks of `chunk` to a sequence of `held`; logits for the last token of each of `outputs`
// chunks. Weights are read once per chunk. Each linear runs on the path that a plan of these options chooses on this
// machine.
PhaseCost cost_of(const Model& model, int64_t held, int64_t tokens, int64_t chunk, int64_t outputs,
                  Activations activations, KvType kv);

}  // namespace halftone
