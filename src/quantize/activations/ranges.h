// SPDX-License-Identifier: Apache-2.0
// Static ranges of what enters the matrices of a model, found on calibration, and how much of other texts they hold.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/activations/options.h"
#include "quantize/evaluate/sequences.h"
#include "tensor/static_range.h"

namespace halftone {

// What ranges do with one text.
struct RangeCoverage {
  double inside = 0;  // of the values: those that are rounded only, and not cut
  float largest = 0;  // magnitude seen
};

// The value that one or more matrices read.
struct InputRange {
  std::vector<std::string> matrices;
  StaticRange range;
  double relative_rms_error = 0;  // of calibration's values: sqrt(sum (x' - x)^2 / sum x^2)
  RangeCoverage calibration;
  std::optional<RangeCoverage> held_out;
};

struct RangesReport {
  ActivationOptions options;
  int64_t tokens = 0, held_out_tokens = 0;
  std::vector<InputRange> inputs;                        // in graph order
  double inside = 0;                                     // of all values of the calibration
  std::optional<double> held_out_inside = std::nullopt;  // of the other text

  std::map<std::string, StaticRange> by_matrix() const;
  nlohmann::ordered_json summary() const;  // what an artifact records: nothing of held-out text
  nlohmann::ordered_json to_json() const;
};

// One pass over the stored model, front to back: the range of an input is chosen on what the quantized matrices before
// it give when their inputs are already rounded, as the runtime will compute them. An input that is zero everywhere
// gets the border 1. The same for any number of threads. Peak memory: an evaluator's, two copies of the widest input, 4
// MB per thread. Errors name the matrix: values that are not finite, a matrix that is read twice.
Result<RangesReport> find_ranges(const ModelFile& stored, const Graph& graph, const Sequences& calibration,
                                 const ActivationOptions& options, ThreadPool& pool, Progress& progress);
// The same pass over texts that were held out, with the ranges of the report, which gets the results.
Status cover_held_out(const ModelFile& stored, const Graph& graph, const Sequences& held_out, RangesReport& report,
                      ThreadPool& pool, Progress& progress);

}  // namespace halftone
