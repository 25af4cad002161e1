// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "base/thread_pool.h"
#include "kernels/vector/vector.h"

namespace halftone {

// KL(p || q) in nats, per row of logits (rows, vocabulary): p = softmax(reference / temperature), q likewise of the
// candidate (Hinton, Vinyals, Dean: "Distilling the Knowledge in a Neural Network", 2015).
struct DivergenceRows {
  std::span<const float> reference, candidate;
  int64_t vocabulary;
  float temperature = 1;
  // The gradient is scaled by it: 1 / rows gives that of the mean.
  float factor = 1;
};
// kl: (rows). gradient: factor * d kl / d candidate logits, (rows, vocabulary), or null; may be the candidate's own
// memory. A row with a logit that is not finite gives NaN. Bits do not depend on threads.
void divergence(const DivergenceRows& rows, const VectorKernels& kernels, ThreadPool& pool, std::span<double> kl,
                float* gradient);

}  // namespace halftone
