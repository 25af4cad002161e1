// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "halftone/status.h"
#include "models/language_model.h"
#include "quantize/recipe.h"

namespace halftone {

struct TensorReport {
  std::string name, rule, layout, method, op;
  int64_t elements = 0, bytes = 0;
  double bits_per_weight = 0;   // scales and padding counted
  double relative_rms_error = 0;  // sqrt(sum (w' - w)^2 / sum w^2)
  double max_abs_error = 0;
};

struct QuantizeReport {
  std::string recipe;
  std::vector<TensorReport> tensors;
  int64_t weights_bytes = 0;
  double bits_per_weight = 0;
  double seconds = 0;
  nlohmann::ordered_json to_json() const;
};

struct QuantizeOptions {
  bool replace = false;
  int64_t tile_bytes = 64 << 20;  // of float rows held at once
};

// Streams the source's tensors through the recipe into an artifact folder, which appears complete or not at all.
Result<QuantizeReport> quantize(const LanguageModel& source, const Recipe& recipe, const std::filesystem::path& target,
                                const QuantizeOptions& options, ThreadPool& pool, Progress& progress);

}  // namespace halftone
