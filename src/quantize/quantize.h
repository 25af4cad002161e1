// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "formats/source_hash.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "models/language_model.h"
#include "quantize/activations/ranges.h"
#include "quantize/calibration/arrays.h"
#include "quantize/evaluate/sequences.h"
#include "quantize/mixed/mixed.h"
#include "quantize/recipe.h"
#include "quantize/transform/transform.h"
#include "quantize/tune/tune.h"

namespace halftone {

struct TensorReport {
  std::string name, op;        // op: what reads it, "embedding+linear" for a tied one
  std::string rule;            // "rule 1: match * -> int4_block32", "vector, kept", ...
  std::string layout, method;  // as stored; method empty where there are no codes to choose
  int64_t elements = 0, bytes = 0;
  double bits_per_weight = 0;     // scales and padding counted
  double relative_rms_error = 0;  // sqrt(sum (w' - w)^2 / sum w^2)
  double max_abs_error = 0;
};

struct QuantizeReport {
  std::string recipe;
  std::vector<TensorReport> tensors;  // in artifact order
  std::vector<std::string> unused;  // tensors of the source that the graph does not read; the artifact has none of them
  std::vector<SourceFile> source_files;
  int64_t weights_bytes = 0;   // of weights.safetensors
  double bits_per_weight = 0;  // of all tensors, scales and padding counted
  std::vector<TransformReport> transforms;
  std::optional<TuneReport> tuned;
  std::optional<MixedReport> mixed;  // where the recipe left layouts to measurement
  std::optional<RangesReport> activations;
  double seconds = 0;
  nlohmann::ordered_json to_json() const;
};

struct QuantizeOptions {
  bool replace = false;
  int64_t tile_bytes = 64 << 20;  // source rows, counted as floats, that one step takes
  // What methods that use data see; an error where one asks and there is none. Borrowed.
  const Sequences* calibration = nullptr;
  const CalibrationArrays* samples = nullptr;  // the same for a network; borrowed
  const Sequences* held_out = nullptr;         // how much of it static ranges hold goes to the report; borrowed
};

// Streams the source's tensors through the recipe into an artifact folder, which appears complete or not at all. The
// same source and recipe give the same bytes on every machine and for every thread count. Private memory: about two
// packed tiles and one panel per thread. Errors name tensor, row and column (NaN, infinity, a value that does not fit
// the layout).
Result<QuantizeReport> quantize_file(const ModelFile& source, const Graph& graph, const Recipe& recipe,
                                     const std::filesystem::path& target, const QuantizeOptions& options,
                                     ThreadPool& pool, Progress& progress);
Result<QuantizeReport> quantize(const LanguageModel& source, const Recipe& recipe, const std::filesystem::path& target,
                                const QuantizeOptions& options, ThreadPool& pool, Progress& progress);

}  // namespace halftone
