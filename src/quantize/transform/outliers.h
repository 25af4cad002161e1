// SPDX-License-Identifier: Apache-2.0
// Models with outlier channels: small trained nets lack what makes large ones hard to quantize.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "halftone/status.h"
#include "models/language_model.h"

namespace halftone {

struct OutlierOptions {
  double fraction = 0.005;  // of the channels of each group, at least one
  double factor = 30;       // taken as the nearest power of two, so that nothing is rounded
  uint64_t seed = 1;
  bool replace = false;
};

struct OutlierReport {
  std::filesystem::path path;
  int64_t groups = 0, channels = 0;  // scaled ones
  int64_t factor = 0;                // as taken
  int64_t bytes = 0;
  std::vector<std::string> left_out;
};

// Writes a model folder of the same function: in every norm group, pair of query and key, and pair of value and output,
// some channels are divided by the factor where they are produced and multiplied where they are read. Matrices keep
// their element type, but f16 becomes f32, and so do scaled vectors. The same seed gives the same bytes. Errors: a
// quantized model, a fraction or factor out of range, nothing to scale.
Result<OutlierReport> write_outliers(const LanguageModel& model, const std::filesystem::path& target,
                                     const OutlierOptions& options, ThreadPool& pool, Progress& progress);

}  // namespace halftone
