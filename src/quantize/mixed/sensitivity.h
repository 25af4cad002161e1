// SPDX-License-Identifier: Apache-2.0
// How much each matrix matters, measured on the task: the mean KL of the next-token distribution from the float
// model's when only this matrix is stored in a layout, and everything else is float.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "quantize/mixed/candidates.h"

namespace halftone {

struct SensitivityOptions {
  std::string method = "search";  // where it cannot fill a layout: the layout's own (kmeans for palettes)
  int64_t tokens = 2048;          // to judge with, held out of what methods see; at most half of the calibration
};

struct LayoutSensitivity {
  const Layout* layout = nullptr;
  std::string method;  // empty for float layouts
  int64_t bytes = 0;   // of the matrix, stored so
  double kl = 0;       // nats per token
};

struct TensorSensitivity {
  std::string name, op;  // op: what reads it, "embedding+linear" for a tied one
  int64_t elements = 0;
  std::vector<LayoutSensitivity> layouts;  // in the order asked for
};

struct Sensitivity {
  int64_t tokens = 0;                      // that were judged with
  std::vector<TensorSensitivity> tensors;  // in the order in which the graph reads them; a tied or fused one is one
};

// The same bits for any number of threads. Time: half a pass over the judging tokens per matrix and layout. Errors: an
// unknown method, fewer than 2 calibration sequences, what quantizing itself refuses.
Result<Sensitivity> measure_sensitivity(const Graph& graph, const ModelFile& source,
                                        std::span<const Layout* const> layouts, const Sequences& calibration,
                                        const SensitivityOptions& options, ThreadPool& pool, Progress& progress);

// The same of candidates, whose panels and kl it fills. REQUIRES: the float model is the base of `model`
Status measure_candidates(std::vector<CandidateTensor>& tensors, CandidatePacker& packer, TrialModel& model,
                          bool keep_panels, Progress& progress);

}  // namespace halftone
