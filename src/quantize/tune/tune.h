// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "base/aligned.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/assign.h"
#include "quantize/evaluate/sequences.h"
#include "quantize/tune/tune_options.h"

namespace halftone {

// Means over held-out tokens of the calibration, which no step saw, in nats per token.
struct TuneReport {
  int64_t steps = 0, tokens = 0, held_out_tokens = 0;
  double kl_before = 0, kl_after = 0;
  bool kept = false;  // false: it did not help, everything is as it was
};

// One tensor as it will be stored: panels, or a vector as f32.
struct TunedTensor {
  const Assignment* assignment = nullptr;
  AlignedBuffer<std::byte> bytes;
};

// Scales, bases, palettes and norms are distilled against the float model's logits, end to end: codes stay what the
// methods chose (Chen et al., "EfficientQAT", arXiv:2407.11062, its second phase, here with KL as loss). A tenth of the
// sequences is held out, and decides whether the result is kept.
// Memory: about 4 floats per weight, and the evaluator's values of one batch (evaluate/evaluator.h) twice.
// The same bits for any number of threads. Errors: fewer than 10 sequences.
Result<TuneReport> tune(const Graph& graph, const ModelFile& source, const Sequences& calibration,
                        const TuneOptions& options, std::vector<TunedTensor>& tensors, ThreadPool& pool,
                        Progress& progress);

}  // namespace halftone
